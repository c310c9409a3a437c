import * as api from "./generated/api";
import * as zod from "./generated/zod";
import { type Answer, run } from "./scenario";

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

type Got<T> =
  | { status: 200 | 201; data: T; headers: Headers }
  | { status: 400 | 401 | 409 | 413 | 415 | 429 | 500 | 503; data: api.ApiError; headers: Headers };

function read<T, U>(got: Got<T>, pick: (data: T) => U): Answer<U> {
  if (got.status === 200 || got.status === 201) return { value: pick(got.data) };
  const { code, details } = got.data.error;
  const fields = (details ?? []).map((problem) => problem.field);
  return { refused: { status: got.status, code, fields, retryAfter: got.headers.get("retry-after") } };
}

run({
  register: async (body) => read(await api.register(zod.RegisterBody.parse(body)), (data) => data.user),
  login: async (body) => read(await api.login(zod.LoginBody.parse(body)), (data) => zod.LoginResponse.parse(data)),
  me: async (token) => read(await api.readProfile(bearer(token)), (data) => zod.ReadProfileResponse.parse(data)),
  rename: async (token, name) => read(await api.updateProfile({ name }, bearer(token)), (data) => data),
  sessions: async (token) =>
    read(await api.listSessions(bearer(token)), (data) => zod.ListSessionsResponse.parse(data).sessions),
  refresh: async (body) => read(await api.refresh(body), (data) => data),
  logout: async (token, body) => read(await api.logout(body, bearer(token)), (data) => data.message),
});
