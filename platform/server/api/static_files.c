#include "server/api/static_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/text.h"
#include "server/middleware/security_headers.h"

enum { FILES_MAX = 2000, BYTES_MAX = 64 << 20, DEPTH_MAX = 8, PATH_BYTES = 512 };

enum form { FORM_PLAIN, FORM_GZIP, FORM_BROTLI, FORM_COUNT };

struct file {
    char *path; /* "/assets/index-3f2a.js"; owned */
    const char *type;
    char etag[20];                             /* of the plain form */
    struct pb_shared_bytes *forms[FORM_COUNT]; /* NULL = not there */
};

struct pb_static_files {
    struct file *files; /* sorted by path */
    size_t count;
    size_t bytes;
};

static const struct {
    const char *suffix;
    const char *type;
} TYPES[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
    {".map", "application/json"},
    {".yaml", "application/yaml"},
};

static const struct {
    const char *suffix;
    const char *name;
} FORMS[FORM_COUNT] = {{"", NULL}, {".gz", "gzip"}, {".br", "br"}};

static const char *type_of(const char *path)
{
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++)
        if (pb_text_ends(path, TYPES[i].suffix))
            return TYPES[i].type;
    return "application/octet-stream";
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static struct file *find(const struct pb_static_files *files, const char *path)
{
    size_t low = 0;
    size_t high = files->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(files->files[middle].path, path);

        if (order == 0)
            return &files->files[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void set_etag(struct file *file)
{
    char hash[PB_SHA256_TEXT];

    pb_sha256_text(file->forms[FORM_PLAIN]->data, file->forms[FORM_PLAIN]->len, hash);
    hash[16] = '\0';
    file->etag[0] = '"';
    memcpy(file->etag + 1, hash, 16);
    memcpy(file->etag + 17, "\"", 2);
}

static int read_file(int dirfd, const char *name, struct pb_shared_bytes **ret_bytes,
                     struct pb_error *err)
{
    struct pb_buf text;
    int r;

    pb_buf_init(&text, BYTES_MAX);
    r = pb_fs_read(dirfd, name, &text, err);
    if (r == 0) {
        *ret_bytes = pb_shared_bytes_new(text.len);
        if (!*ret_bytes)
            r = pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    }
    if (r == 0 && text.len > 0)
        memcpy((*ret_bytes)->data, text.data, text.len);
    pb_buf_release(&text);
    return r;
}

static int add_file(struct pb_static_files *files, int dirfd, const char *name, const char *path,
                    struct pb_error *err)
{
    struct file *file;

    if (files->count >= FILES_MAX)
        return pb_fail(err, PB_ERROR_LIMITED, "more than %d files", FILES_MAX);
    if (files->count % 64 == 0) {
        struct file *more = realloc(files->files, (files->count + 64) * sizeof(*more));

        if (!more)
            return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        files->files = more;
    }
    file = &files->files[files->count];
    memset(file, 0, sizeof(*file));
    file->path = strdup(path);
    file->type = type_of(path);
    files->count++;
    if (!file->path)
        return pb_fail(err, PB_ERROR_LIMITED, "out of memory");
    if (read_file(dirfd, name, &file->forms[FORM_PLAIN], err) < 0)
        return pb_fail_in(err, "%s", path);
    files->bytes += file->forms[FORM_PLAIN]->len;
    if (files->bytes > BYTES_MAX)
        return pb_fail(err, PB_ERROR_LIMITED, "more than %d MiB", BYTES_MAX >> 20);
    set_etag(file);
    return 0;
}

static int add_folder(struct pb_static_files *files, int parent, const char *name, const char *path,
                      unsigned depth, struct pb_error *err);

static int add_entry(struct pb_static_files *files, int dirfd, const char *name, const char *folder,
                     unsigned depth, struct pb_error *err)
{
    struct pb_buf path;
    struct stat info;
    int r = 0;

    if (name[0] == '.' || fstatat(dirfd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    pb_buf_init(&path, PATH_BYTES);
    pb_buf_format(&path, "%s/%s", folder, name);
    if (pb_buf_failed(&path))
        r = pb_fail(err, PB_ERROR_LIMITED, "%s: path too long", name);
    else if (S_ISDIR(info.st_mode))
        r = add_folder(files, dirfd, name, pb_buf_string(&path), depth + 1, err);
    else if (S_ISREG(info.st_mode))
        r = add_file(files, dirfd, name, pb_buf_string(&path), err);
    pb_buf_release(&path);
    return r;
}

static int add_folder(struct pb_static_files *files, int parent, const char *name, const char *path,
                      unsigned depth, struct pb_error *err)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    int r = 0;

    if (!dir) {
        (void)pb_fail_errno(err, "%s", name);
        pb_close(&fd);
        return -1;
    }
    if (depth > DEPTH_MAX)
        r = pb_fail(err, PB_ERROR_LIMITED, "%s: folders too deep", path);
    while (r == 0 && (entry = readdir(dir)))
        r = add_entry(files, fd, entry->d_name, path, depth, err);
    (void)closedir(dir);
    return r;
}

/* Gives "x.js.br" to "x.js", which sorts before it and so is among the `kept`. */
static bool fold_form(struct pb_static_files *kept, struct file *file)
{
    for (int form = FORM_GZIP; form < FORM_COUNT; form++) {
        struct file *plain;
        size_t len;

        if (!pb_text_ends(file->path, FORMS[form].suffix))
            continue;
        len = strlen(file->path) - strlen(FORMS[form].suffix);
        file->path[len] = '\0';
        plain = find(kept, file->path);
        file->path[len] = '.';
        if (!plain)
            continue;
        plain->forms[form] = file->forms[FORM_PLAIN];
        free(file->path);
        return true;
    }
    return false;
}

/* "x.js.br" becomes a form of "x.js" and leaves the list. */
static void fold_forms(struct pb_static_files *files)
{
    struct pb_static_files kept = {.files = files->files};

    for (size_t i = 0; i < files->count; i++)
        if (!fold_form(&kept, &files->files[i]))
            files->files[kept.count++] = files->files[i];
    files->count = kept.count;
}

struct pb_static_files *pb_static_files_load(const char *folder, struct pb_error *err)
{
    struct pb_static_files *files = calloc(1, sizeof(*files));

    if (!files) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    if (add_folder(files, AT_FDCWD, folder, "", 0, err) < 0) {
        (void)pb_fail_in(err, "web_dir");
        pb_static_files_free(files);
        return NULL;
    }
    if (files->count > 0)
        qsort(files->files, files->count, sizeof(files->files[0]), by_path);
    fold_forms(files);
    return files;
}

void pb_static_files_free(struct pb_static_files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].path);
        for (int form = 0; form < FORM_COUNT; form++)
            pb_shared_bytes_unref(files->files[i].forms[form]);
    }
    free(files->files);
    free(files);
}

/* Does the client take this coding? "br;q=0" says no. */
static bool accepts(const char *header, const char *coding)
{
    size_t len = strlen(coding);

    for (const char *at = header; at && *at;) {
        size_t item = strcspn(at, ",");

        if (item >= len && strncasecmp(at, coding, len) == 0 &&
            (item == len || strchr("; \t", at[len]))) {
            const char *q = memmem(at, item, "q=0", 3);

            return !q || (q + 3 < at + item && q[3] == '.' && strspn(q + 4, "0") == 0);
        }
        at += item;
        at += strspn(at, ", \t");
    }
    return false;
}

static enum form choose(const struct file *file, const struct pb_http_exchange *exchange)
{
    const char *header = pb_http_header(exchange, "Accept-Encoding");

    for (int form = FORM_BROTLI; form > FORM_PLAIN; form--)
        if (file->forms[form] && file->forms[form]->len > 0 && accepts(header, FORMS[form].name))
            return (enum form)form;
    return FORM_PLAIN;
}

static int send_file(const struct file *file, struct pb_http_exchange *exchange)
{
    const char *known = pb_http_header(exchange, "If-None-Match");
    enum form form = choose(file, exchange);
    struct pb_http_header headers[PB_SECURITY_HEADERS + 5];
    size_t count = pb_security_headers(headers, 0, pb_http_is_tls(exchange));

    headers[count++] = (struct pb_http_header){"Content-Type", file->type};
    headers[count++] = (struct pb_http_header){"ETag", file->etag};
    headers[count++] = (struct pb_http_header){"Vary", "Accept-Encoding"};
    headers[count++] =
        (struct pb_http_header){"Cache-Control", pb_text_starts(file->path, "/assets/")
                                                     ? "public, max-age=31536000, immutable"
                                                     : "no-cache"};
    if (known && strstr(known, file->etag)) {
        pb_http_reply(exchange, 304, headers, count, NULL, 0);
        return 304;
    }
    if (form != FORM_PLAIN)
        headers[count++] = (struct pb_http_header){"Content-Encoding", FORMS[form].name};
    pb_http_reply_shared(exchange, 200, headers, count, file->forms[form]);
    return 200;
}

static int send_text(struct pb_http_exchange *exchange, int status, const char *text)
{
    struct pb_http_header headers[PB_SECURITY_HEADERS + 1];
    size_t count = pb_security_headers(headers, 0, pb_http_is_tls(exchange));

    headers[count++] = (struct pb_http_header){"Content-Type", "text/plain; charset=utf-8"};
    pb_http_reply(exchange, status, headers, count, text, strlen(text));
    return status;
}

/* A page somebody opens, as against a file a page asks for. */
static bool is_navigation(const struct pb_http_exchange *exchange, const char *path)
{
    const char *mode = pb_http_header(exchange, "Sec-Fetch-Mode");
    const char *accept = pb_http_header(exchange, "Accept");
    const char *last = strrchr(path, '/');

    if (mode)
        return strcmp(mode, "navigate") == 0;
    return accept && strstr(accept, "text/html") && last && !strchr(last, '.');
}

int pb_static_files_answer(const struct pb_static_files *files, struct pb_http_exchange *exchange)
{
    const char *method = pb_http_method(exchange);
    const char *path = pb_http_path(exchange);
    char decoded[PATH_BYTES];
    const struct file *file = NULL;

    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_text(exchange, 405, "only GET here\n");
    if (strlen(path) < sizeof(decoded) && pb_http_decode(path, strlen(path), false, decoded))
        file = find(files, strcmp(decoded, "/") == 0 ? "/index.html" : decoded);
    if (!file && is_navigation(exchange, path))
        file = find(files, "/index.html");
    return file ? send_file(file, exchange) : send_text(exchange, 404, "not found\n");
}
