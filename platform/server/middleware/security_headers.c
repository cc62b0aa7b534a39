#include "server/middleware/security_headers.h"

/* The hash is that of an empty <style>: Emotion makes one in a lazy chunk and fills it by insertRule(). */
static const struct pb_http_header HEADERS[] = {
    {"Content-Security-Policy",
     "default-src 'self'; "
     "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
     "img-src 'self' data:; font-src 'self'; "
     "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors "
     "'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

_Static_assert(sizeof(HEADERS) / sizeof(HEADERS[0]) < PB_SECURITY_HEADERS, "room for one more");

size_t pb_security_headers(struct pb_http_header *headers, size_t count, bool is_tls)
{
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++)
        headers[count++] = HEADERS[i];
    if (is_tls)
        headers[count++] = (struct pb_http_header){"Strict-Transport-Security", "max-age=31536000"};
    return count;
}
