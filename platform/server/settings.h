/*
 * The platform's settings: one table, and what follows from it.
 *
 * Values come from defaults, the file named by --config, POPPO_… in the
 * environment, and the command line, the later winning. Paths left empty are
 * filled in for whoever starts it: root gets the system's places, everybody
 * else their own.
 */
#ifndef PB_SERVER_SETTINGS_H
#define PB_SERVER_SETTINGS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "server/services/platform.h"

struct pb_settings {
    struct pb_config *config; /* owned */
    bool is_root;
    char data_dir[512];
    char run_dir[512];
    char key_file[512];
    char bin_dir[512];
    char web_dir[600];
    char database[1200];   /* the file's path, or an address, perhaps with a password in it */
    char listen_host[256]; /* as in a URL: "127.0.0.1", "[::1]" */
    int listen_port;
    char base_url[600]; /* port 0: to be completed when it is known */
};

/* Reads everything and takes its options out of argv. */
int pb_settings_read(struct pb_settings *settings, int *argc, char **argv,
                     struct pb_error *err) PB_MUST_CHECK;
/* INVALID, with the setting's name, for values that cannot be meant; pb_settings_read() has asked. */
int pb_settings_check(const struct pb_settings *settings, struct pb_error *err) PB_MUST_CHECK;
void pb_settings_release(struct pb_settings *settings);
/* Does a database's address hold a password: "user:password@" before the host, or password=…? */
bool pb_settings_has_password(const char *address);

/* What the services get. Texts are borrowed from the settings. */
void pb_settings_for_services(const struct pb_settings *settings, struct pb_platform_settings *ret);
/* The address once the port is known. */
void pb_settings_know_port(struct pb_settings *settings, int port);
/* "--name=value" of every setting that is not at its default nor a secret, for a program started in our
 * name. */
int pb_settings_arguments(const struct pb_settings *settings, struct pb_arena *arena,
                          const char **ret_argv, size_t max, size_t *ret_count,
                          struct pb_error *err) PB_MUST_CHECK;
/* "POPPO_NAME=value" of those that must not be seen on a command line. */
int pb_settings_environment(const struct pb_settings *settings, struct pb_arena *arena,
                            const char **ret_envp, size_t max, size_t *ret_count,
                            struct pb_error *err) PB_MUST_CHECK;
void pb_settings_help(struct pb_buf *buf);

#endif
