#!/usr/bin/env bash
# Versions: datamodel-code-generator 0.89.0, pydantic 2.14.4.
# Done: generated a pydantic model from a description whose field has format: password, made an
#   instance and wrote it as JSON, as a client does for the body of its request.
# Came: the field is a SecretStr, whose JSON is asterisks: that is what the client would send for
#   every password, without an error. Read again by the same model it is a password of ten asterisks.
# Expected: the password. The OpenAPI specification (3.1, "Data Types") calls the format a hint to
#   obscure the value, in 3.0 one for user interfaces; what is sent is a plain string.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    datamodel-code-generator==0.89.0 pydantic==2.14.4
cat > "$folder/api.json" <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "Sign in", "version": "1"},
  "paths": {},
  "components": {"schemas": {"Login": {
    "type": "object",
    "required": ["name", "password"],
    "properties": {"name": {"type": "string"}, "password": {"type": "string", "format": "password"}}
  }}}
}
JSON
"$folder/venv/bin/datamodel-codegen" --input "$folder/api.json" --input-file-type openapi --formatters builtin \
    --output-model-type pydantic_v2.BaseModel --output "$folder/generated.py"
cd "$folder"
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version

sys.path.insert(0, ".")
from generated import Login

print(*(f"{name} {version(name)}" for name in ("datamodel-code-generator", "pydantic")))
body = Login(name="ann", password="correct horse").model_dump_json()
read = Login.model_validate_json(body).password
print("the field's type:", Login.model_fields["password"].annotation.__name__)
print("the body:", body)
if body != '{"name":"ann","password":"**********"}':
    sys.exit("this has changed: the body held ten asterisks for the password")
if read.get_secret_value() != "*" * 10:
    sys.exit("this has changed: the body was read as a password of ten asterisks")
PY
