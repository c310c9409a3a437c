import createClient from "openapi-fetch";
import type { components, paths } from "./generated/schema";
import { type Answer, base, run } from "./scenario";

const api = createClient<paths>({ baseUrl: base });
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

type Got<T> = { data?: T; error?: components["schemas"]["ApiError"]; response: Response };

function read<T, U>({ data, error, response }: Got<T>, pick: (data: T) => U): Answer<U> {
  if (data !== undefined) return { value: pick(data) };
  if (error === undefined) throw new Error("neither");
  const { code, details } = error.error;
  const fields = (details ?? []).map((problem) => problem.field);
  return { refused: { status: response.status, code, fields, retryAfter: response.headers.get("retry-after") } };
}

run({
  register: async (body) => read(await api.POST("/api/auth/register", { body }), (data) => data.user),
  login: async (body) => read(await api.POST("/api/auth/login", { body }), (data) => data),
  me: async (token) => read(await api.GET("/api/users/me", bearer(token)), (data) => data),
  rename: async (token, name) =>
    read(await api.PATCH("/api/users/me", { ...bearer(token), body: { name } }), (data) => data),
  sessions: async (token) => read(await api.GET("/api/users/me/sessions", bearer(token)), (data) => data.sessions),
  refresh: async (body) => read(await api.POST("/api/auth/refresh", { body }), (data) => data),
  logout: async (token, body) =>
    read(await api.POST("/api/auth/logout", { ...bearer(token), body }), (data) => data.message),
});
