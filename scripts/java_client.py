"""Ask a project with Java's own HttpClient, which offers `Upgrade: h2c` with each request.

    .venv/bin/python scripts/java_client.py

Needs a JDK (Debian: openjdk-17-jdk-headless); outside CI. One client registers, signs in, changes
its name, lists its sessions, and reads every time of the answers with one strict format. Exit 1
when an answer was not the right one.
"""

import asyncio
import secrets
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "template"))

helpers, live = (import_module(f"tests.{name}") for name in ("helpers", "live"))

CLIENT: Final = """
import java.net.URI;
import java.net.http.*;
import java.time.format.*;
import java.util.regex.*;

public class Client {
  static final HttpClient HTTP = HttpClient.newHttpClient();
  static final DateTimeFormatter STRICT = DateTimeFormatter
    .ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSSX").withResolverStyle(ResolverStyle.STRICT);

  static String ask(String method, String url, String token, String body, int expected)
      throws Exception {
    var request = HttpRequest.newBuilder(URI.create(url))
      .header("Content-Type", "application/json");
    if (!token.isEmpty()) request.header("Authorization", "Bearer " + token);
    var sent = body.isEmpty() ? HttpRequest.BodyPublishers.noBody()
      : HttpRequest.BodyPublishers.ofString(body);
    var answer = HTTP.send(request.method(method, sent).build(),
      HttpResponse.BodyHandlers.ofString());
    System.out.println(method + " " + URI.create(url).getPath() + " " + answer.statusCode());
    if (answer.statusCode() != expected) throw new Exception(answer.body());
    var times = Pattern.compile("\\"\\\\w+At\\":\\"([^\\"]+)\\"").matcher(answer.body());
    while (times.find()) System.out.println("  " + STRICT.parse(times.group(1)));
    return answer.body();
  }

  public static void main(String[] arguments) throws Exception {
    var api = arguments[0] + "/api";
    var who = "{\\"email\\": \\"ada@example.com\\", \\"password\\": \\"Correct-Horse-7\\"}";
    ask("POST", api + "/auth/register", "", who, 201);
    var signedIn = ask("POST", api + "/auth/login", "", who, 200);
    var token = signedIn.replaceAll("(?s).*\\"accessToken\\":\\"([^\\"]+)\\".*", "$1");
    ask("PATCH", api + "/users/me", token, "{\\"name\\": \\"Countess\\"}", 200);
    ask("GET", api + "/users/me", token, "", 200);
    ask("GET", api + "/users/me/sessions", token, "", 200);
  }
}
"""

SETTINGS: Final = {
    "environment": "test",
    "jwt_secret": secrets.token_urlsafe(48),
    "bcrypt_cost": "4",
}


async def run(here: Path) -> int:
    url = f"sqlite:///{here}/wild.db"
    await asyncio.to_thread(helpers.migrate, url)
    (here / "Client.java").write_text(CLIENT, encoding="utf-8")
    async with live.serving(here, SETTINGS | {"database_url": url}) as api:
        client = await asyncio.create_subprocess_exec("java", str(here / "Client.java"), api.url)
        return await client.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="wild-") as directory:
        sys.exit(asyncio.run(run(Path(directory))))
