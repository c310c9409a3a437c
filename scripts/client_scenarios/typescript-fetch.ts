import * as api from "./generated";
import { type Answer, base, run } from "./scenario";

const as = (token: string) => new api.Configuration({ basePath: base, accessToken: token });
const auth = (token = "") => new api.AuthApi(as(token));
const users = (token: string) => new api.UsersApi(as(token));

async function read<T>(call: Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await call };
  } catch (failure) {
    if (!(failure instanceof api.ResponseError)) throw failure;
    const { response } = failure;
    const { code, details } = api.ApiErrorFromJSON(await response.json()).error;
    const fields = (details ?? []).map((problem) => problem.field);
    return { refused: { status: response.status, code, fields, retryAfter: response.headers.get("retry-after") } };
  }
}

run({
  register: (body) => read(auth().register({ registerInput: body }).then((data) => data.user)),
  login: (body) => read(auth().login({ loginInput: body })),
  me: (token) => read(users(token).readProfile()),
  rename: (token, name) => read(users(token).updateProfile({ updateProfileInput: { name } })),
  sessions: (token) => read(new api.SessionsApi(as(token)).listSessions().then((data) => data.sessions)),
  refresh: (body) => read(auth().refresh({ refreshInput: body })),
  logout: (token, body) => read(auth(token).logout({ refreshInput: body }).then((data) => data.message)),
});
