import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.List;
import java.util.Objects;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.AuthApi;
import org.openapitools.client.api.SessionsApi;
import org.openapitools.client.api.UsersApi;
import org.openapitools.client.model.*;

/** The same scenario as scenario.ts. */
public class Use {
  interface Call<T> {
    T get() throws ApiException;
  }

  static final String EMAIL = "ada@example.com", PASSWORD = "Пароль-12345";

  static ApiClient as(String token) {
    ApiClient client = new ApiClient();
    client.updateBaseUri(System.getenv("API"));
    if (token != null) client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
    return client;
  }

  static ApiErrorBody bad(Call<?> call, int status, ErrorCode code) throws JsonProcessingException {
    try {
      call.get();
    } catch (ApiException failure) {
      ApiError error = ApiClient.createDefaultObjectMapper().readValue(failure.getResponseBody(), ApiError.class);
      expect(failure.getCode(), status);
      expect(error.getError().getCode(), code);
      if (status == 429) expect(failure.getResponseHeaders().firstValueAsLong("Retry-After").getAsLong() > 0, true);
      return error.getError();
    }
    throw new AssertionError("not refused: " + code);
  }

  static void expect(Object found, Object due) {
    if (!Objects.equals(found, due)) throw new AssertionError(found + " instead of " + due);
  }

  public static void main(String[] arguments) throws Exception {
    AuthApi auth = new AuthApi(as(null));
    RegisterInput ada = new RegisterInput().email(EMAIL).password(PASSWORD);
    expect(auth.register(ada).getUser().getEmail(), EMAIL);
    bad(() -> auth.register(ada), 409, ErrorCode.EMAIL_TAKEN);
    RegisterInput nobody = new RegisterInput().email("ada").password(PASSWORD);
    List<FieldProblem> problems = bad(() -> auth.register(nobody), 400, ErrorCode.VALIDATION_FAILED).getDetails();
    expect(problems.get(0).getField(), "email");
    LoginInput wrong = new LoginInput().email(EMAIL).password("Wrong-12345");
    bad(() -> auth.login(wrong), 401, ErrorCode.INVALID_CREDENTIALS);
    LoginInput right = new LoginInput().email(EMAIL).password(PASSWORD);
    SignedIn first = auth.login(right);
    expect(new UsersApi(as(first.getAccessToken())).readProfile().getName(), null);
    Tokens tokens = auth.refresh(new RefreshInput().refreshToken(first.getRefreshToken()));
    UsersApi users = new UsersApi(as(tokens.getAccessToken()));
    expect(users.updateProfile(new UpdateProfileInput().name("Zoë")).getName(), "Zoë");
    List<SessionInfo> sessions = new SessionsApi(as(tokens.getAccessToken())).listSessions(null, null).getSessions();
    expect(sessions.stream().filter(SessionInfo::getCurrent).count(), 1L);
    RefreshInput last = new RefreshInput().refreshToken(tokens.getRefreshToken());
    expect(new AuthApi(as(tokens.getAccessToken())).logout(last).getMessage(), "Logged out");
    bad(users::readProfile, 401, ErrorCode.INVALID_TOKEN);
    for (int tries = 0; tries < 3; tries++) auth.login(right);
    bad(() -> auth.login(right), 429, ErrorCode.RATE_LIMITED);
    System.out.println("used");
  }
}
