/* Addresses: which ones we talk to, and how text gets into them. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "cli/cli_api.h"
#include "cli/cli_words.h"

/* Host of "http://HOST:PORT": where it begins, how long it is; brackets belong to it. */
static size_t find_host(const char *url, const char **ret_host)
{
    const char *host = strstr(url, "://") + 3;
    const char *bracket = *host == '[' ? strchr(host, ']') : NULL;

    *ret_host = host;
    return bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":/");
}

static bool is_this_machine(const char *url)
{
    static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *host;
    size_t len = find_host(url, &host);

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (len == strlen(NAMES[i]) && strncasecmp(host, NAMES[i], len) == 0)
            return true;
    return false;
}

static bool is_address(const char *text, size_t len)
{
    const char *rest = pb_text_starts(text, "http://")    ? text + 7
                       : pb_text_starts(text, "https://") ? text + 8
                                                          : NULL;

    if (!rest || rest >= text + len || *rest == ':')
        return false;
    for (const char *c = rest; c < text + len; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("/?#@\\\"", *c))
            return false;
    return true;
}

int pb_cli_url_read(const char *text, bool allow_plain_http, struct pb_buf *ret_url,
                    struct pb_error *err)
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '/')
        len--;
    if (!is_address(text, len))
        return pb_fail_reason(err, PB_ERROR_INVALID, "usage",
                              pb_say("'%s' is not an address like http://127.0.0.1:3000",
                                     "'%s' は http://127.0.0.1:3000 のようなアドレスでは"
                                     "ありません"),
                              text);
    if (!allow_plain_http && pb_text_starts(text, "http://") && !is_this_machine(text))
        return pb_fail_reason(err, PB_ERROR_DENIED, "plain_http",
                              pb_say("%s would carry your password over the network unencrypted",
                                     "%s では、パスワードが暗号化されずにネットワークを流れます"),
                              text);
    pb_buf_bytes(ret_url, text, len);
    return pb_buf_failed(ret_url) ? pb_fail(err, PB_ERROR_TOO_LARGE, "address too long") : 0;
}

void pb_cli_put_encoded(struct pb_buf *buf, const char *text)
{
    static const char PLAIN[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *text; text++) {
        if (strchr(PLAIN, *text)) {
            pb_buf_char(buf, *text);
        } else {
            pb_buf_char(buf, '%');
            pb_buf_hex(buf, text, 1);
        }
    }
}
