// What every client in TypeScript has to do with the API, and how it says what came of it.
export type Refused = { status: number; code: string; fields: string[]; retryAfter: string | null };
export type Answer<T> = { value: T } | { refused: Refused };
export type Tokens = { accessToken: string; refreshToken: string };
export type Credentials = { email: string; password: string };

export interface Client {
  register(body: Credentials): Promise<Answer<{ email: string }>>;
  login(body: Credentials): Promise<Answer<Tokens>>;
  me(token: string): Promise<Answer<{ name: string | null }>>;
  rename(token: string, name: string): Promise<Answer<{ name: string | null }>>;
  sessions(token: string): Promise<Answer<{ current: boolean }[]>>;
  refresh(body: { refreshToken: string }): Promise<Answer<Tokens>>;
  logout(token: string, body: { refreshToken: string }): Promise<Answer<string>>;
}

export const base = process.env.API ?? "";

function good<T>(answer: Answer<T>): T {
  if ("refused" in answer) throw new Error(`refused: ${JSON.stringify(answer.refused)}`);
  return answer.value;
}

function bad<T>(answer: Answer<T>, status: number, code: string): Refused {
  if (!("refused" in answer)) throw new Error(`not refused: ${code} was due`);
  expect(answer.refused.status, status);
  expect(answer.refused.code, code);
  return answer.refused;
}

function expect(found: unknown, due: unknown): void {
  if (found !== due) throw new Error(`${String(found)} instead of ${String(due)}`);
}

export async function use(client: Client): Promise<void> {
  const ada = { email: "ada@example.com", password: "Пароль-12345" };
  expect(good(await client.register(ada)).email, ada.email);
  bad(await client.register(ada), 409, "email_taken");
  expect(bad(await client.register({ ...ada, email: "ada" }), 400, "validation_failed").fields[0], "email");
  bad(await client.login({ ...ada, password: "Wrong-12345" }), 401, "invalid_credentials");
  const first = good(await client.login(ada));
  expect(good(await client.me(first.accessToken)).name, null);
  const tokens = good(await client.refresh({ refreshToken: first.refreshToken }));
  expect(good(await client.rename(tokens.accessToken, "Zoë")).name, "Zoë");
  expect(good(await client.sessions(tokens.accessToken)).filter((one) => one.current).length, 1);
  expect(good(await client.logout(tokens.accessToken, { refreshToken: tokens.refreshToken })), "Logged out");
  bad(await client.me(tokens.accessToken), 401, "invalid_token");
  let answer = await client.login(ada);
  for (let tries = 0; tries < 6 && !("refused" in answer); tries++) answer = await client.login(ada);
  if (!(Number(bad(answer, 429, "rate_limited").retryAfter) > 0)) throw new Error("no Retry-After");
  console.log("used");
}

export function run(client: Client): void {
  use(client).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}
