"""Ask verifiers that nobody here wrote: `python scripts/verifiers.py`.

A live API signs tokens with each algorithm; each verifier takes the snippet of the template's
`docs/verify-in-another-service.md`, or a few lines below, the address of the public keys and a
token. It must accept the good one, and refuse a refresh token, another type, issuer and audience,
an expired token, a changed signature and HS256. Prints the table of that page; exit 1 when one
judges wrongly. What is missing is named.

Outside CI: it needs npm, and Debian's ruby-jwt, golang-go, golang-gopkg-square-go-jose.v2-dev and
a JDK; jose4j and slf4j-api are looked for under `~/.m2`. The suite asks PyJWT, joserfc and HAProxy.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template"
sys.path.insert(0, str(TEMPLATE))

# The template's own, under names that this repository's tests have too.
pairs, helpers, live, verifiers = map(
    import_module,
    ("app.jwks.key_pairs", "tests.helpers", "tests.live", "tests.jwks.test_verifiers"),
)
snippet: Callable[..., str] = verifiers.snippet

NODE_MAIN = """
const token = (await new Response(process.stdin).text()).trim();
console.log((await verify(token)).sub);
process.exit(0);
"""
PYTHON_MAIN = "\nimport sys\nprint(verify(sys.stdin.read().strip())['sub'])\n"
GO_MAIN = """
func main() {
	text, _ := io.ReadAll(os.Stdin)
	claims, err := Verify(strings.TrimSpace(string(text)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(claims.Subject)
}
"""
JAVA_MAIN = """
class Main {
    public static void main(String[] args) throws Exception {
        String token = new String(System.in.readAllBytes()).strip();
        System.out.println(AccessTokens.verify(token).getSubject());
    }
}
"""
RUBY = """
require "json"
require "jwt"
require "net/http"
keys = JSON.parse(Net::HTTP.get(URI("{url}/.well-known/jwks.json")), symbolize_names: true)
how = {{ algorithms: ["{algorithm}"], jwks: keys, iss: "app", verify_iss: true, aud: "app",
        verify_aud: true, required_claims: ["exp", "sub"] }}
claims, header = JWT.decode($stdin.read.strip, nil, true, how)
abort "not an access token" if header["typ"] != "at+jwt"
puts claims["sub"]
"""

Command = tuple[list[str], dict[str, str]]
Maker = Callable[[Path, str, str], tuple[str, Command]]


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def python(here: Path, url: str, algorithm: str) -> tuple[str, Command]:
    file = here / "verify.py"
    file.write_text(snippet("python", url=url, name="app", algorithm=algorithm) + PYTHON_MAIN)
    version = run(sys.executable, "-c", "import jwt; print(jwt.__version__)")
    return f"PyJWT {version} (`PyJWKClient`)", ([sys.executable, str(file)], {})


def node(here: Path, url: str, algorithm: str) -> tuple[str, Command]:
    if not (here / "node_modules/jose").is_dir():
        run("npm", "install", "--silent", "--no-audit", "jose", cwd=here)
    code = snippet("js", url=url, name="app", algorithm=algorithm) + NODE_MAIN
    (here / "verify.mjs").write_text(code)
    package = (here / "node_modules/jose/package.json").read_text()
    [version] = re.findall(r'"version": "([^"]+)"', package)
    return f"jose {version} (Node {run('node', '--version')})", (
        ["node", str(here / "verify.mjs")],
        {},
    )


def go(here: Path, url: str, algorithm: str) -> tuple[str, Command]:
    code = snippet("go", url=url, name="app", algorithm=algorithm)
    # Debian's package of the version before, under its name of then; what is used has not changed.
    code = code.replace("github.com/go-jose/go-jose/v3", "gopkg.in/square/go-jose.v2")
    code = code.replace("import (", 'import (\n\t"fmt"\n\t"io"\n\t"os"\n\t"strings"', 1)
    (here / "main.go").write_text(code + GO_MAIN)
    environ = os.environ | {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode"}
    binary = here / f"verify-{algorithm}"
    subprocess.run(["go", "build", "-o", str(binary), "main.go"], cwd=here, env=environ, check=True)
    package = "golang-gopkg-square-go-jose.v2-dev"
    version = run("dpkg-query", "-W", "-f", "${Version}", package)
    return f"go-jose {version} (Debian; {run('go', 'version').split()[2]})", ([str(binary)], {})


def java(here: Path, url: str, algorithm: str) -> tuple[str, Command]:
    jars = sorted(Path.home().glob(".m2/repository/org/bitbucket/b_c/jose4j/*/jose4j-*.jar"))
    logs = sorted(Path.home().glob(".m2/repository/org/slf4j/slf4j-api/2*/slf4j-api-*.jar"))
    if not jars or not logs:
        raise FileNotFoundError("jose4j")
    path = f"{jars[-1]}:{logs[-1]}"
    (here / "Main.java").write_text(
        snippet("java", url=url, name="app", algorithm=algorithm) + JAVA_MAIN
    )
    run("javac", "-cp", path, "Main.java", cwd=here)
    version = jars[-1].stem.removeprefix("jose4j-")
    java_version = run("java", "--version").split()[1]
    return f"jose4j {version} (Java {java_version})", (
        ["java", "-cp", f"{path}:{here}", "Main"],
        {},
    )


def ruby(here: Path, url: str, algorithm: str) -> tuple[str, Command]:
    file = here / "verify.rb"
    file.write_text(RUBY.format(url=url, algorithm=algorithm))
    return f"ruby-jwt {run('ruby', '-rjwt', '-e', 'puts JWT::VERSION::STRING')} (Debian)", (
        ["ruby", str(file)],
        {},
    )


MAKERS: dict[str, Maker] = {
    "python3": python, "node": node, "go": go, "javac": java, "ruby": ruby
}  # fmt: skip


def judge(command: list[str], good: str, bad: list[str], user: str) -> str:
    """`yes`, or what it does wrong."""

    def ask(token: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, input=token, capture_output=True, text=True, check=False)

    answer = ask(good)
    if answer.stdout.strip() != user:
        return f"no: {(answer.stderr or answer.stdout).strip().splitlines()[-1][:90]}"
    taken = [number for number, token in enumerate(bad) if ask(token).returncode == 0]
    return f"WRONG: takes {taken}" if taken else "yes"


async def ask_all(algorithm: str, here: Path) -> dict[str, str]:
    pair = pairs.new_key_pair(algorithm)
    values = {
        "environment": "test",
        "database_url": database_url(here),
        "jwt_secret": "x" * 40,
        "jwt_private_keys": pair,
        "rate_limit_enabled": "false",
    }
    answers = {}
    async with live.serving(here, values) as server, server.client() as client:
        account = await helpers.register(client)
        good, bad = verifiers.good_and_bad(account, pairs.read_key_pair(pair))
        for program, maker in MAKERS.items():
            if shutil.which(program) is None:
                print(f"{program} is missing", file=sys.stderr)
                continue
            name, (command, _) = await asyncio.to_thread(maker, here, server.url, algorithm)
            answers[name] = await asyncio.to_thread(judge, command, good, bad, account.id)
    return answers


def database_url(here: Path) -> str:
    return f"sqlite:///{here}/app.db"


def table() -> Iterator[tuple[str, dict[str, str]]]:
    with tempfile.TemporaryDirectory() as scratch:
        for algorithm in ("EdDSA", "ES256"):
            here = Path(scratch) / algorithm
            here.mkdir()
            helpers.migrate(database_url(here))
            yield algorithm, asyncio.run(ask_all(algorithm, here))


def main() -> int:
    by_algorithm = dict(table())
    print("| verifier | EdDSA | ES256 |\n| --- | --- | --- |")
    for name in by_algorithm["EdDSA"]:
        print(f"| {name} | {by_algorithm['EdDSA'][name]} | {by_algorithm['ES256'].get(name)} |")
    answers = [answer for column in by_algorithm.values() for answer in column.values()]
    return 1 if any(answer.startswith("WRONG") for answer in answers) else 0


if __name__ == "__main__":
    sys.exit(main())
