#include "agent/slots.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/project_dirs.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "wire/message.h"

enum { FILE_MAX = 1 << 20 };

struct pb_slots {
    int port_base; /* 0 = ports do not matter */
    char path[PB_PROJECT_PATH_TEXT];
    char projects[PB_SLOT_MAX + 1][PB_MESSAGE_PROJECT_TEXT]; /* by slot; "" = free */
};

static int load(struct pb_slots *slots, const struct pb_json *table, struct pb_error *err)
{
    if (!pb_json_is_object(table))
        return pb_fail(err, PB_ERROR_INVALID, "%s is no table of slots", slots->path);
    for (const char *project = pb_json_next_name(table, NULL); project;
         project = pb_json_next_name(table, project)) {
        int64_t slot = pb_json_int(table, project, 0);

        if (!pb_message_project_valid(project) || slot < PB_SLOT_MIN || slot > PB_SLOT_MAX ||
            *slots->projects[slot])
            return pb_fail(err, PB_ERROR_INVALID, "%s gives '%s' the slot %lld", slots->path,
                           project, (long long)slot);
        (void)snprintf(slots->projects[slot], sizeof(slots->projects[slot]), "%s", project);
    }
    return 0;
}

static int read_file(struct pb_slots *slots, struct pb_error *err)
{
    struct pb_error why = {0};
    struct pb_json *table = NULL;
    struct pb_buf text;
    int r = -1;

    pb_buf_init(&text, FILE_MAX);
    if (pb_fs_read(AT_FDCWD, slots->path, &text, &why) < 0) {
        if (why.code == PB_ERROR_NOT_FOUND)
            r = 0;
        else
            *err = why;
        goto out;
    }
    table = pb_json_parse(pb_buf_string(&text), text.len, err);
    if (table)
        r = load(slots, table, err);
    if (r < 0)
        (void)pb_fail_in(err, "read %s", slots->path);
out:
    pb_json_free(table);
    pb_buf_release(&text);
    return r;
}

static int write_file(const struct pb_slots *slots, struct pb_error *err)
{
    struct pb_json_writer w;
    struct pb_buf text;
    int r;

    pb_buf_init(&text, FILE_MAX);
    pb_json_writer_init(&w, &text);
    pb_json_begin_object(&w, NULL);
    for (unsigned slot = PB_SLOT_MIN; slot <= PB_SLOT_MAX; slot++)
        if (*slots->projects[slot])
            pb_json_put_int(&w, slots->projects[slot], slot);
    pb_json_end_object(&w);
    r = pb_buf_failed(&text) ? pb_fail(err, PB_ERROR_INTERNAL, "out of memory")
                             : pb_fs_write(AT_FDCWD, slots->path, text.data, text.len, 0600, err);
    pb_buf_release(&text);
    return r;
}

struct pb_slots *pb_slots_open(const char *path, int port_base, struct pb_error *err)
{
    struct pb_slots *slots = calloc(1, sizeof(*slots));

    if (!slots) {
        (void)pb_fail(err, PB_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    slots->port_base = port_base;
    (void)snprintf(slots->path, sizeof(slots->path), "%s", path);
    if (read_file(slots, err) < 0) {
        pb_slots_close(slots);
        return NULL;
    }
    return slots;
}

void pb_slots_close(struct pb_slots *slots)
{
    free(slots);
}

unsigned pb_slots_find(const struct pb_slots *slots, const char *project)
{
    for (unsigned slot = PB_SLOT_MIN; slot <= PB_SLOT_MAX; slot++)
        if (strcmp(slots->projects[slot], project) == 0)
            return slot;
    return 0;
}

static int set(struct pb_slots *slots, unsigned slot, const char *project, struct pb_error *err)
{
    char before[PB_MESSAGE_PROJECT_TEXT];

    memcpy(before, slots->projects[slot], sizeof(before));
    (void)snprintf(slots->projects[slot], sizeof(slots->projects[slot]), "%s", project);
    if (write_file(slots, err) == 0)
        return 0;
    memcpy(slots->projects[slot], before, sizeof(before));
    return -1;
}

static bool port_is_free(const struct pb_slots *slots, unsigned slot)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int on = 1, fd;
    bool is_free;

    if (slots->port_base == 0)
        return true;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)pb_slot_port(slots->port_base, slot));
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    is_free = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
              bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    pb_close(&fd);
    return is_free;
}

/* 0 when there is none. */
static unsigned find_free(const struct pb_slots *slots)
{
    for (unsigned slot = PB_SLOT_MIN; slot <= PB_SLOT_MAX; slot++)
        if (!*slots->projects[slot] && port_is_free(slots, slot))
            return slot;
    return 0;
}

int pb_slots_take(struct pb_slots *slots, const char *project, unsigned *ret_slot,
                  struct pb_error *err)
{
    unsigned slot = pb_slots_find(slots, project);

    if (slot == 0) {
        slot = find_free(slots);
        if (slot == 0)
            return pb_fail_reason(err, PB_ERROR_LIMITED, "no_slot",
                                  "all %d slots of this node are taken, or their ports are",
                                  PB_SLOT_MAX);
        if (set(slots, slot, project, err) < 0)
            return -1;
    }
    *ret_slot = slot;
    return 0;
}

int pb_slots_take_all(struct pb_slots *slots, const char *const *projects, size_t count,
                      struct pb_error *err)
{
    struct pb_slots *after = malloc(sizeof(*after));
    bool is_changed = false;
    int r = 0;

    if (!after)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    *after = *slots;
    for (size_t i = 0; i < count; i++) {
        unsigned slot = 0;

        if (pb_message_project_valid(projects[i]) && !pb_slots_find(after, projects[i]))
            slot = find_free(after);
        if (slot == 0)
            continue;
        (void)snprintf(after->projects[slot], sizeof(after->projects[slot]), "%s", projects[i]);
        is_changed = true;
    }
    if (is_changed)
        r = write_file(after, err);
    if (r == 0)
        *slots = *after;
    free(after);
    return r;
}

int pb_slots_give_back(struct pb_slots *slots, const char *project, struct pb_error *err)
{
    unsigned slot = pb_slots_find(slots, project);

    return slot == 0 ? 0 : set(slots, slot, "", err);
}

unsigned pb_slots_next(const struct pb_slots *slots, unsigned slot)
{
    while (++slot <= PB_SLOT_MAX)
        if (*slots->projects[slot])
            return slot;
    return 0;
}

const char *pb_slots_project(const struct pb_slots *slots, unsigned slot)
{
    return slot >= PB_SLOT_MIN && slot <= PB_SLOT_MAX ? slots->projects[slot] : "";
}

size_t pb_slots_free_count(const struct pb_slots *slots)
{
    size_t count = 0;

    for (unsigned slot = PB_SLOT_MIN; slot <= PB_SLOT_MAX; slot++)
        count += *slots->projects[slot] == '\0';
    return count;
}
