-- POST /api/auth/login for the e-mail addresses of EMAILS, one after the other, each person from an
-- address of their own (RFC 2544's range): of one address, few passwords are hashed at once.
dofile(os.getenv("BENCHMARK_LUA") .. "/common.lua")

local emails = lines_of(os.getenv("EMAILS"))
local password = os.getenv("PASSWORD")
local body = os.getenv("LOGIN_BODY") or '{"email":"%s","password":"%s"}'
local content_type = os.getenv("LOGIN_TYPE") or "application/json"
local next_email = 0

function request()
  next_email = next_email % #emails + 1
  local text = string.format(body, emails[next_email], password)
  local address = string.format("198.18.%d.%d", math.floor(next_email / 250), next_email % 250)
  local headers = { ["Content-Type"] = content_type, ["X-Forwarded-For"] = address }
  return wrk.format("POST", nil, headers, text)
end

function response(status, headers)
  count(status, headers)
end
