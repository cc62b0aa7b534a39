/* First setup, sign in and out, who am I. */
#include "server/api/handlers.h"
#include "server/api/request.h"
#include "server/middleware/cookie.h"
#include "server/services/platform.h"

/* The names of the contract; the model's are lower case. */
static const struct {
    enum pb_permission permission;
    const char *name;
} PERMISSIONS[] = {
    {PB_PERMIT_READ, "READ"},
    {PB_PERMIT_RUN, "RUN"},
    {PB_PERMIT_MANAGE, "MANAGE"},
    {PB_PERMIT_ADMINISTER, "ADMINISTER"},
};

static void put_me(struct pb_json_writer *w, const char *name, const struct pb_principal *who)
{
    pb_json_begin_object(w, name);
    pb_json_put_int(w, "id", who->user_id);
    pb_json_put_text(w, "username", who->username);
    pb_json_put_text(w, "role", pb_role_name(who->role));
    pb_json_put_text(w, "language", who->language ? who->language : "en");
    pb_json_begin_array(w, "permissions");
    for (size_t i = 0; i < sizeof(PERMISSIONS) / sizeof(PERMISSIONS[0]); i++)
        if (pb_role_may(who->role, PERMISSIONS[i].permission))
            pb_json_put_text(w, NULL, PERMISSIONS[i].name);
    pb_json_end_array(w);
    pb_json_end_object(w);
}

static struct pb_cookie_policy policy(const struct pb_request *req)
{
    const struct pb_platform_settings *settings = &req->platform->settings;

    return (struct pb_cookie_policy){settings->is_https, settings->allow_plain_http,
                                     pb_auth_tag(req->platform->auth)};
}

static int set_cookie(struct pb_request *req, const char *token, struct pb_error *err)
{
    const char *header;

    if (pb_cookie_write(req->exchange, policy(req), token, PB_SESSION_SECONDS, req->arena, &header,
                        err) < 0)
        return -1;
    pb_request_header(req, "Set-Cookie", header);
    return 0;
}

static int reply_session(struct pb_request *req, const struct pb_signed_in *in,
                         struct pb_error *err)
{
    if (in->refresh_token && set_cookie(req, in->refresh_token, err) < 0)
        return -1;
    pb_json_begin_object(&req->json, NULL);
    pb_json_put_text(&req->json, "access_token", in->access_token);
    pb_json_put_int(&req->json, "expires_in", PB_ACCESS_TOKEN_SECONDS);
    put_me(&req->json, "user", &in->principal);
    pb_json_end_object(&req->json);
    return 0;
}

/* Would a session be of any use? Asked before a password is looked at or an account is made. */
static int check_cookie_place(struct pb_request *req, struct pb_error *err)
{
    const char *header;

    if (pb_cookie_check_origin(req->exchange, err) < 0)
        return -1;
    return pb_cookie_write(req->exchange, policy(req), "", 0, req->arena, &header, err);
}

/* --- setup ------------------------------------------------------------------------------------------------ */

int setup_show(struct pb_request *req, struct pb_error *err)
{
    bool required;

    if (pb_auth_setup_required(req->platform->auth, &required, err) < 0)
        return -1;
    pb_json_begin_object(&req->json, NULL);
    pb_json_put_bool(&req->json, "required", required);
    pb_json_put_text(&req->json, "version", PB_VERSION);
    pb_json_end_object(&req->json);
    return 0;
}

int setup_finish(struct pb_request *req, struct pb_error *err)
{
    const char *username = pb_json_text(req->body, "username", "");
    const char *password = pb_json_text(req->body, "password", "");
    struct pb_client_info client;
    struct pb_signed_in in;
    struct pb_error wrong;

    if (check_cookie_place(req, err) < 0)
        return -1;
    if (pb_username_check(username, &wrong) < 0)
        pb_request_field(req, &wrong);
    if (pb_password_check(password, &wrong) < 0)
        pb_request_field(req, &wrong);
    if (req->field_count > 0)
        return pb_request_fields_fail(req, err);
    pb_request_client(req, &client);
    if (pb_auth_setup(req->platform->auth, pb_json_text(req->body, "token", ""), username, password,
                      pb_json_text(req->body, "language", req->platform->settings.default_language),
                      &client, req->arena, &in, err) < 0)
        return -1;
    req->status = 201;
    return reply_session(req, &in, err);
}

/* --- sessions --------------------------------------------------------------------------------------------- */

int auth_login(struct pb_request *req, struct pb_error *err)
{
    struct pb_client_info client;
    struct pb_signed_in in;

    if (check_cookie_place(req, err) < 0)
        return -1;
    pb_request_client(req, &client);
    if (pb_auth_login(req->platform->auth, pb_json_text(req->body, "username", ""),
                      pb_json_text(req->body, "password", ""), &client, req->arena, &in, err) < 0)
        return -1;
    return reply_session(req, &in, err);
}

int auth_refresh(struct pb_request *req, struct pb_error *err)
{
    const char *token = pb_cookie_read(req->exchange, policy(req), req->arena);
    struct pb_client_info client;
    struct pb_signed_in in;
    struct pb_error ignored;

    if (pb_cookie_check_origin(req->exchange, err) < 0)
        return -1;
    if (!token)
        return pb_fail_reason(err, PB_ERROR_UNAUTHENTICATED, "session_missing", "sign in first");
    pb_request_client(req, &client);
    if (pb_auth_refresh(req->platform->auth, token, &client, req->arena, &in, err) < 0) {
        if (err->code == PB_ERROR_UNAUTHENTICATED)
            (void)set_cookie(req, NULL, &ignored); /* it is of no more use */
        return -1;
    }
    return reply_session(req, &in, err);
}

int auth_logout(struct pb_request *req, struct pb_error *err)
{
    const char *token = pb_cookie_read(req->exchange, policy(req), req->arena);

    if (pb_cookie_check_origin(req->exchange, err) < 0)
        return -1;
    if (token && pb_auth_logout(req->platform->auth, token, err) < 0)
        return -1;
    if (token && set_cookie(req, NULL, err) < 0)
        return -1;
    req->status = 204;
    return 0;
}

/* --- me --------------------------------------------------------------------------------------------------- */

int me_show(struct pb_request *req, struct pb_error *err)
{
    (void)err;
    put_me(&req->json, NULL, req->who);
    return 0;
}

int me_update(struct pb_request *req, struct pb_error *err)
{
    const char *language = pb_json_text(req->body, "language", NULL);
    struct pb_principal changed = *req->who;

    if (language) {
        if (pb_auth_set_language(req->platform->auth, req->who->user_id, language, err) < 0)
            return -1;
        changed.language = language;
    }
    put_me(&req->json, NULL, &changed);
    return 0;
}
