import * as api from "./generated/api";
import * as zod from "./generated/zod";
import { type Answer, run } from "./scenario";

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

type Failed = { status: number; data: api.ApiError; headers: Headers };

function refused({ status, data, headers }: Failed): Answer<never> {
  const { code, details } = data.error;
  const fields = (details ?? []).map((problem) => problem.field);
  return { refused: { status, code, fields, retryAfter: headers.get("retry-after") } };
}

run({
  register: async (body) => {
    const got = await api.register(zod.RegisterBody.parse(body));
    return got.status === 201 ? { value: got.data.user } : refused(got);
  },
  login: async (body) => {
    const got = await api.login(zod.LoginBody.parse(body));
    return got.status === 200 ? { value: zod.LoginResponse.parse(got.data) } : refused(got);
  },
  me: async (token) => {
    const got = await api.readProfile(bearer(token));
    return got.status === 200 ? { value: zod.ReadProfileResponse.parse(got.data) } : refused(got);
  },
  rename: async (token, name) => {
    const got = await api.updateProfile({ name }, bearer(token));
    return got.status === 200 ? { value: got.data } : refused(got);
  },
  sessions: async (token) => {
    const got = await api.listSessions({}, bearer(token));
    return got.status === 200 ? { value: got.data.sessions } : refused(got);
  },
  refresh: async (body) => {
    const got = await api.refresh(body);
    return got.status === 200 ? { value: got.data } : refused(got);
  },
  logout: async (token, body) => {
    const got = await api.logout(body, bearer(token));
    return got.status === 200 ? { value: got.data.message } : refused(got);
  },
});
