import { client } from "./generated/client.gen";
import * as sdk from "./generated/sdk.gen";
import type { ApiError } from "./generated/types.gen";
import { type Answer, base, run } from "./scenario";

client.setConfig({ baseUrl: base });
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

type Got<T> = { data?: T; error?: ApiError; response?: Response };

function read<T, U>({ data, error, response }: Got<T>, pick: (data: T) => U): Answer<U> {
  if (data !== undefined) return { value: pick(data) };
  if (error === undefined || response === undefined) throw new Error("neither");
  const { code, details } = error.error;
  const fields = (details ?? []).map((problem) => problem.field);
  return { refused: { status: response.status, code, fields, retryAfter: response.headers.get("retry-after") } };
}

run({
  register: async (body) => read(await sdk.register({ body }), (data) => data.user),
  login: async (body) => read(await sdk.login({ body }), (data) => data),
  me: async (token) => read(await sdk.readProfile(bearer(token)), (data) => data),
  rename: async (token, name) => read(await sdk.updateProfile({ ...bearer(token), body: { name } }), (data) => data),
  sessions: async (token) => read(await sdk.listSessions(bearer(token)), (data) => data.sessions),
  refresh: async (body) => read(await sdk.refresh({ body }), (data) => data),
  logout: async (token, body) => read(await sdk.logout({ ...bearer(token), body }), (data) => data.message),
});
