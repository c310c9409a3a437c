import org.openapitools.client.apis.AuthApi
import org.openapitools.client.apis.SessionsApi
import org.openapitools.client.apis.UsersApi
import org.openapitools.client.infrastructure.ApiClient
import org.openapitools.client.infrastructure.ClientError
import org.openapitools.client.infrastructure.ClientException
import org.openapitools.client.infrastructure.Serializer
import org.openapitools.client.models.*

// The same scenario as scenario.ts.
val base: String = System.getenv("API")
const val EMAIL = "ada@example.com"
const val PASSWORD = "Пароль-12345"

fun expect(found: Any?, due: Any?) {
    if (found != due) throw AssertionError("$found instead of $due")
}

fun bad(status: Int, code: ErrorCode, call: () -> Any?): ApiErrorBody {
    try {
        call()
    } catch (failure: ClientException) {
        val answer = failure.response as ClientError<*>
        val error = Serializer.gson.fromJson(answer.body as String, ApiError::class.java).error
        expect(failure.statusCode, status)
        expect(error.code, code)
        if (status == 429) expect(answer.headers.getValue("retry-after").first().toInt() > 0, true)
        return error
    }
    throw AssertionError("not refused: $code")
}

fun main() {
    val auth = AuthApi(base)
    val users = UsersApi(base)
    expect(auth.register(RegisterInput(EMAIL, PASSWORD)).user.email, EMAIL)
    bad(409, ErrorCode.email_taken) { auth.register(RegisterInput(EMAIL, PASSWORD)) }
    val problems = bad(400, ErrorCode.validation_failed) { auth.register(RegisterInput("ada", PASSWORD)) }
    expect(problems.details?.first()?.field, "email")
    bad(401, ErrorCode.invalid_credentials) { auth.login(LoginInput(EMAIL, "Wrong-12345")) }
    val first = auth.login(LoginInput(EMAIL, PASSWORD))
    ApiClient.accessToken = first.accessToken
    expect(users.readProfile().name, null)
    val tokens = auth.refresh(RefreshInput(first.refreshToken))
    ApiClient.accessToken = tokens.accessToken
    expect(users.updateProfile(UpdateProfileInput(name = "Zoë")).name, "Zoë")
    expect(SessionsApi(base).listSessions().sessions.count { it.current }, 1)
    expect(auth.logout(RefreshInput(tokens.refreshToken)).message, "Logged out")
    bad(401, ErrorCode.invalid_token) { users.readProfile() }
    repeat(3) { auth.login(LoginInput(EMAIL, PASSWORD)) }
    bad(429, ErrorCode.rate_limited) { auth.login(LoginInput(EMAIL, PASSWORD)) }
    println("used")
}
