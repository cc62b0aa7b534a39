#include "server/db_verb.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "server/store/db_copy.h"

enum { PATH_BYTES = 700 };

static const char USAGE[] = "usage: poppo-platform db copy --from DATABASE --to DATABASE "
                            "[--from-password-file FILE] [--to-password-file FILE] "
                            "[--data-dir DIR]; a DATABASE is sqlite or postgresql://…";

struct words {
    const char *from;
    const char *from_password_file;
    const char *to;
    const char *to_password_file;
};

static int fail_usage(struct pb_error *err)
{
    return pb_fail_reason(err, PB_ERROR_INVALID, "usage", "%s", USAGE);
}

/* "--name=value" and "--name value". */
static int read_words(int argc, char **argv, struct words *ret_words, struct pb_error *err)
{
    const struct {
        const char *name;
        const char **value;
    } OPTIONS[] = {
        {"--from", &ret_words->from},
        {"--to", &ret_words->to},
        {"--from-password-file", &ret_words->from_password_file},
        {"--to-password-file", &ret_words->to_password_file},
    };

    if (argc < 1 || strcmp(argv[0], "copy") != 0)
        return fail_usage(err);
    for (int i = 1; i < argc; i++) {
        size_t len = strcspn(argv[i], "="), option = 0;

        while (option < sizeof(OPTIONS) / sizeof(OPTIONS[0]) &&
               (strlen(OPTIONS[option].name) != len ||
                strncmp(OPTIONS[option].name, argv[i], len) != 0))
            option++;
        if (option == sizeof(OPTIONS) / sizeof(OPTIONS[0]) || (!argv[i][len] && i + 1 == argc))
            return fail_usage(err);
        *OPTIONS[option].value = argv[i][len] ? argv[i] + len + 1 : argv[++i];
    }
    return ret_words->from && ret_words->to ? 0 : fail_usage(err);
}

/* sqlite → the file of this data folder. */
static int find_place(const struct pb_settings *settings, const char *word, char *ret, size_t size,
                      struct pb_error *err)
{
    int len;

    if (strcmp(word, "sqlite") == 0)
        len = snprintf(ret, size, "%s/platform/poppo.db", settings->data_dir);
    else if (!pb_database_is_address(word))
        return pb_fail(err, PB_ERROR_INVALID, "'%.80s' is neither sqlite nor postgresql://…", word);
    else if (pb_settings_has_password(word))
        return pb_fail(err, PB_ERROR_INVALID,
                       "a password on the command line can be read by everybody on this machine: "
                       "put it into a file and give --from-password-file or --to-password-file");
    else
        len = snprintf(ret, size, "%s", word);
    return len > 0 && (size_t)len < size
               ? 0
               : pb_fail(err, PB_ERROR_INVALID, "the address is too long");
}

static int become_user(const struct pb_settings *settings, struct pb_error *err)
{
    const char *name = pb_config_text(settings->config, "user");
    const struct passwd *entry;

    if (!settings->is_root)
        return 0;
    entry = getpwnam(name);
    if (!entry)
        return pb_fail(err, PB_ERROR_NOT_FOUND, "there is no user '%s' (setting user)", name);
    if (initgroups(name, entry->pw_gid) < 0 ||
        setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
        setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
        return pb_fail_errno(err, "become user '%s'", name);
    return 0;
}

/* Nobody serves from this folder meanwhile, and it is there for a file to be made in it. */
static int lock_folder(const struct pb_settings *settings, int *ret_lock, struct pb_error *err)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/platform", settings->data_dir);
    if (pb_fs_mkdirs(path, 0700, err) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/platform/lock", settings->data_dir);
    *ret_lock = pb_fs_lock(path, err);
    return *ret_lock < 0
               ? pb_fail_in(err, "stop the platform first: it uses %s", settings->data_dir)
               : 0;
}

static void tell_table(void *arg, const char *table, int64_t rows)
{
    int64_t *total = arg;

    *total += rows;
    (void)printf("%-20s %12lld rows\n", table, (long long)rows);
    (void)fflush(stdout);
}

int pb_db_verb(struct pb_settings *settings, int argc, char **argv, struct pb_error *err)
{
    char from[sizeof(settings->database)], to[sizeof(settings->database)];
    struct words words = {0};
    int64_t total = 0;
    int lock = -1, r;

    if (read_words(argc, argv, &words, err) < 0 ||
        find_place(settings, words.from, from, sizeof(from), err) < 0 ||
        find_place(settings, words.to, to, sizeof(to), err) < 0 || become_user(settings, err) < 0 ||
        lock_folder(settings, &lock, err) < 0)
        return -1;
    r = pb_db_copy(&(struct pb_db_copy){.from = from,
                                        .from_password_file = words.from_password_file,
                                        .to = to,
                                        .to_password_file = words.to_password_file,
                                        .app_version = PB_VERSION,
                                        .on_table = tell_table,
                                        .arg = &total},
                   err);
    pb_close(&lock);
    if (r == 0)
        (void)printf("%lld rows copied, read again and found the same. Set database to %s now.\n",
                     (long long)total, words.to);
    return r;
}
