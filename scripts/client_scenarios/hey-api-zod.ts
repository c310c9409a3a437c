// Each body and each answer passes the schemas, as forms and careful clients use them.
import { client } from "./generated/client.gen";
import * as sdk from "./generated/sdk.gen";
import * as zod from "./generated/zod.gen";
import { type Answer, base, run } from "./scenario";

client.setConfig({ baseUrl: base });
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

type Got = { data?: unknown; error?: unknown; response?: Response };

function read<T>({ data, error, response }: Got, schema: { parse(data: unknown): T }): Answer<T> {
  if (data !== undefined) return { value: schema.parse(data) };
  if (response === undefined) throw new Error("no answer");
  const { code, details } = zod.zApiError.parse(error).error;
  const fields = (details ?? []).map((problem) => problem.field);
  return { refused: { status: response.status, code, fields, retryAfter: response.headers.get("retry-after") } };
}

run({
  register: async (body) =>
    read(await sdk.register({ body: zod.zRegisterInput.parse(body) }), zod.zSignedIn.transform((data) => data.user)),
  login: async (body) => read(await sdk.login({ body: zod.zLoginInput.parse(body) }), zod.zSignedIn),
  me: async (token) => read(await sdk.readProfile(bearer(token)), zod.zProfile),
  rename: async (token, name) =>
    read(
      await sdk.updateProfile({ ...bearer(token), body: zod.zUpdateProfileInput.parse({ name }) }),
      zod.zUpdatedProfile,
    ),
  sessions: async (token) =>
    read(await sdk.listSessions(bearer(token)), zod.zSessionList.transform((data) => data.sessions)),
  refresh: async (body) => read(await sdk.refresh({ body: zod.zRefreshInput.parse(body) }), zod.zTokens),
  logout: async (token, body) =>
    read(await sdk.logout({ ...bearer(token), body }), zod.zMessage.transform((data) => data.message)),
});
