#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/services/github_shown_private.h"

enum { ITEMS = 4096, REPOS = 512 };

struct pb_github_shown {
    pthread_mutex_t mutex; /* guards both tables */
    struct pb_github_shown_item items[ITEMS];
    struct pb_github_shown_repo repos[REPOS];
};

struct pb_github_shown *pb_github_shown_new(struct pb_error *err)
{
    struct pb_github_shown *shown = calloc(1, sizeof(*shown));

    if (!shown) {
        pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory for GitHub effects");
        return NULL;
    }
    pthread_mutex_init(&shown->mutex, NULL);
    return shown;
}

void pb_github_shown_free(struct pb_github_shown *shown)
{
    if (!shown)
        return;
    pthread_mutex_destroy(&shown->mutex);
    free(shown);
}

void pb_github_shown_load_item(struct pb_github_shown *shown, int64_t work_item_id,
                               struct pb_github_shown_item *ret_item)
{
    const struct pb_github_shown_item *item = &shown->items[(uint64_t)work_item_id % ITEMS];

    pthread_mutex_lock(&shown->mutex);
    if (item->work_item_id == work_item_id)
        *ret_item = *item;
    else
        *ret_item = (struct pb_github_shown_item){.work_item_id = work_item_id};
    pthread_mutex_unlock(&shown->mutex);
}

void pb_github_shown_save_item(struct pb_github_shown *shown,
                               const struct pb_github_shown_item *item)
{
    pthread_mutex_lock(&shown->mutex);
    shown->items[(uint64_t)item->work_item_id % ITEMS] = *item;
    pthread_mutex_unlock(&shown->mutex);
}

static struct pb_github_shown_repo *repo_of(struct pb_github_shown *shown, const char *project_id)
{
    unsigned hash = 5381;

    for (const char *c = project_id; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    return &shown->repos[hash % REPOS];
}

void pb_github_shown_load_repo(struct pb_github_shown *shown, const char *project_id,
                               struct pb_github_shown_repo *ret_repo)
{
    const struct pb_github_shown_repo *repo = repo_of(shown, project_id);

    pthread_mutex_lock(&shown->mutex);
    if (strcmp(repo->project_id, project_id) == 0) {
        *ret_repo = *repo;
    } else {
        *ret_repo = (struct pb_github_shown_repo){0};
        snprintf(ret_repo->project_id, sizeof(ret_repo->project_id), "%s", project_id);
    }
    pthread_mutex_unlock(&shown->mutex);
}

void pb_github_shown_save_repo(struct pb_github_shown *shown,
                               const struct pb_github_shown_repo *repo)
{
    pthread_mutex_lock(&shown->mutex);
    *repo_of(shown, repo->project_id) = *repo;
    pthread_mutex_unlock(&shown->mutex);
}
