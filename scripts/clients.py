"""Make a client of the API with each generator, compile it, and use it against a running project.

`python -m scripts.clients` (`--only NAME,…`, `--document FILE`) needs npm and PyPI alone, and a JDK
for Java and Kotlin: Jackson is in the generator's own jar, OkHttp and Gson in packages of npm. Each
client registers, signs in, meets 400, 401, 409 and 429, refreshes, patches, reads sessions and
signs out. Each has a server of its own, since limits are counted by address. With `--document`
clients are made and compiled, not used. Exit 1 when one fails. The last results are in
docs/clients.md.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.client_parts import Served, project_in

SCENARIOS: Final = Path(__file__).with_name("client_scenarios")

NPM: Final = {
    "@hey-api/openapi-ts": "0.99.0",
    "openapi-fetch": "0.17.0",
    "openapi-typescript": "7.13.0",
    "orval": "8.38.0",
    "typescript": "5.9.3",
    "@types/node": "20.19.0",
    "zod": "4.6.7",
    "kotlin-compiler": "2.4.20",
    "allure-commandline": "2.34.1",
    "google-closure-compiler-java": "20240317.0.0",
}
PIP: Final = {
    "openapi-python-client": "0.29.1",
    "openapi-generator-cli": "7.26.0",
    "mypy": "2.4.0",
}
HEY: Final = "npx openapi-ts -i openapi.json -o generated -p"
TYPESCRIPT: Final = (
    "npx tsc --strict --target es2022 --lib es2023,dom,dom.iterable --module node16 --skipLibCheck"
    " --types node --outDir built"
)
KOTLIN: Final = (
    "../node_modules/allure-commandline/dist/plugins/jira-plugin/lib/okhttp-4.12.0.jar"
    ":../node_modules/allure-commandline/dist/plugins/jira-plugin/lib/okio-jvm-3.6.0.jar"
    ":../node_modules/google-closure-compiler-java/compiler.jar"
    ":../node_modules/kotlin-compiler/lib/kotlin-stdlib.jar"
)
"""OkHttp, and Gson: npm has neither under its own name, but programs that carry them."""
JAR: Final = "$PIP/openapi_generator_cli/openapi-generator.jar"


@dataclass(frozen=True)
class Client:
    """Commands of a shell, run one after the other in a directory of the client's own."""

    generate: str
    compile: str
    use: str
    files: tuple[str, ...]
    npm: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def typescript(name: str, generate: str, *npm: str, pip: tuple[str, ...] = ()) -> Client:
    files = ("scenario.ts", f"{name}.ts")
    always = ("typescript", "@types/node")
    use = f"node built/{name}.js"
    return Client(generate, f"{TYPESCRIPT} {name}.ts", use, files, (*npm, *always), pip, ("npx",))


CLIENTS: Final = {
    "openapi-fetch": typescript(
        "openapi-fetch",
        "npx openapi-typescript openapi.json -o generated/schema.ts",
        *("openapi-typescript", "openapi-fetch"),
    ),
    "hey-api": typescript(
        "hey-api",
        f"{HEY} @hey-api/client-fetch @hey-api/typescript @hey-api/sdk",
        "@hey-api/openapi-ts",
    ),
    "hey-api-zod": typescript(
        "hey-api-zod",
        f"{HEY} @hey-api/client-fetch @hey-api/typescript @hey-api/sdk zod",
        *("@hey-api/openapi-ts", "zod"),
    ),
    "orval": typescript("orval", "npx orval --config orval.config.cjs", "orval", "zod"),
    "typescript-fetch": typescript(
        "typescript-fetch",
        "$BIN/openapi-generator-cli generate -i openapi.json -g typescript-fetch -o generated",
        pip=("openapi-generator-cli",),
    ),
    "python": Client(
        "$BIN/openapi-python-client generate --path openapi.json --meta none"
        " --output-path generated",
        "$BIN/mypy --strict --follow-imports=silent use.py",
        "$BIN/python use.py",
        ("use.py",),
        pip=("openapi-python-client", "mypy"),
    ),
    "java": Client(
        "$BIN/openapi-generator-cli generate -i openapi.json -g java --library=native -o generated"
        " --additional-properties=openApiNullable=false",
        f"javac -nowarn -encoding UTF-8 -cp {JAR} -d built"
        " $(find generated/src/main java -name '*.java')",
        f"java -cp built:{JAR} Use",
        ("java",),
        pip=("openapi-generator-cli",),
        needs=("javac",),
    ),
    "kotlin": Client(
        "$BIN/openapi-generator-cli generate -i openapi.json -g kotlin -o generated"
        " --additional-properties=serializationLibrary=gson",
        f"bash ../node_modules/kotlin-compiler/bin/kotlinc -nowarn -cp {KOTLIN} -d built"
        " generated/src/main/kotlin Use.kt",
        f"java -cp built:{KOTLIN} UseKt",
        ("Use.kt",),
        npm=("kotlin-compiler", "allure-commandline", "google-closure-compiler-java"),
        pip=("openapi-generator-cli",),
        needs=("java", "npm"),
    ),
}
"""By name. Of the steps, each is a command for bash."""

FAST: Final = ("openapi-fetch", "hey-api", "hey-api-zod", "python")
"""What a test of the gate runs: a minute, half of which is installing."""


def main(arguments_given: list[str] | None = None) -> int:
    arguments = read_arguments(arguments_given)
    chosen = {name: CLIENTS[name] for name in arguments.only or CLIENTS}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        if arguments.document:
            document = arguments.document.resolve()
            served = None
        else:
            served = project_in(work / "project")
            document = served.document
        environ = install(work, chosen)
        results = [
            try_client(work / name, name, client, document, environ, served)
            for name, client in chosen.items()
        ]
    return 0 if all(results) else 1


def read_arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="NAME,…")
    parser.add_argument("--document", type=Path, metavar="FILE")
    return parser.parse_args(given)


def install(work: Path, chosen: dict[str, Client]) -> dict[str, str]:
    """The packages of the chosen clients; returns the variables that find them."""
    npm = [f"{name}@{NPM[name]}" for name in sorted({n for c in chosen.values() for n in c.npm})]
    if npm:
        (work / "package.json").write_text('{"private": true}')
        shell(f"npm install --no-audit --no-fund --no-package-lock {' '.join(npm)}", work)
    pip = [f"{name}=={PIP[name]}" for name in sorted({p for c in chosen.values() for p in c.pip})]
    environment = work / "environment"
    if pip:
        shell(f"{sys.executable} -m venv {environment}", work)
        shell(f"{environment}/bin/python -m pip install --quiet {' '.join(pip)}", work)
    packages = next(environment.glob("lib/python*/site-packages"), environment)
    return {"BIN": str(environment / "bin"), "PIP": str(packages)}


def try_client(
    place: Path,
    name: str,
    client: Client,
    document: Path,
    environ: dict[str, str],
    served: Served | None,
) -> bool:
    """Whether all steps succeed; prints which did, and what the one that failed said."""
    missing = [tool for tool in client.needs if shutil.which(tool) is None]
    if missing:
        print(f"{name}: skipped, there is no {', '.join(missing)}", flush=True)
        return True
    place.mkdir()
    shutil.copy(document, place / "openapi.json")
    for file in client.files:
        copy = shutil.copytree if (SCENARIOS / file).is_dir() else shutil.copy
        copy(SCENARIOS / file, place / file)
    steps = {"generates": client.generate, "compiles": client.compile}
    try:
        prepare(place, served.url if served else "")
        for step in steps.values():
            shell(step, place, environ)
        if served is not None and client.use:
            with served.anew():
                shell(client.use, place, environ | {"API": served.url})
    except subprocess.CalledProcessError as failure:
        print(f"{name}: failed: {failure.cmd}\n{(failure.stdout or '')[-3000:]}", flush=True)
        return False
    done = [*steps, *(["used"] if served and client.use else [])]
    print(f"{name}: {', '.join(done)}", flush=True)
    return True


def prepare(place: Path, url: str) -> None:
    """What orval reads: a file of its own, and the address of the API at generation."""
    output = f"client: 'fetch', baseUrl: '{url}', target: 'generated/api.ts'"
    (place / "orval.config.cjs").write_text(
        "const input = 'openapi.json';\n"
        f"module.exports = {{ api: {{ input, output: {{ {output} }} }},\n"
        "  zod: { input, output: { client: 'zod', target: 'generated/zod.ts' } } };\n"
    )


def shell(command: str, place: Path, environ: dict[str, str] | None = None) -> None:
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=place,
        env=os.environ | (environ or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main())
