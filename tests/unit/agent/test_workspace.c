#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/pool.h"
#include "base/text.h"
#include "git_bench.h"

static struct bench bench;

static int set_up(void **state)
{
    (void)state;
    bench_open(&bench);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bench_close(&bench);
    return 0;
}

static void assert_refused_as(struct pb_step *step, const char *reason)
{
    struct pb_workspace *workspace = NULL;
    struct pb_error err = {0};

    assert_int_equal(pb_workspace_prepare(step, &step->arena, &workspace, &err), -1);
    if (strcmp(err.reason, reason) != 0)
        fail_msg("'%s', not '%s': %s\n%s", err.reason, reason, err.message,
                 pb_buf_string(&step->log));
    assert_true(err.message[0] != '\0');
}

/* Neither plain nor as it goes over the wire, in no file. */
static void assert_token_is_nowhere(void)
{
    as_us(&bench, "! grep -r -l -e '%s' -e \"$(printf 'x-access-token:%s' | base64 -w0)\" projects",
          BENCH_TOKEN, BENCH_TOKEN);
}

TEST(a_first_attempt_gets_a_clone_on_a_branch_of_its_own)
{
    struct pb_step step;
    struct pb_workspace *workspace;

    step_open(&step, &bench, "issue-12", 1);
    workspace = prepare(&step);
    assert_true(workspace->has_repository);
    assert_string_equal(workspace->base_sha, says(&bench, "git -C origin/site.git rev-parse main"));
    assert_string_equal(workspace->branch_sha, "");
    assert_string_equal(workspace->agent_notes, "# Notes\n");
    as_task(&bench,
            "cd '%s'; test \"$(git symbolic-ref HEAD)\" = refs/heads/poppo/issue-12; "
            "test \"$(cat README.md)\" = hello; test -z \"$(git status --porcelain)\"; "
            "test \"$(git remote get-url origin)\" = '%s'; test -d '%s'; git log -1 >/dev/null; "
            "test -O '%s'; stat -c %%a '%s' | grep -q '700$'",
            workspace->path, bench.url, workspace->home, workspace->temp, workspace->temp);
    assert_token_is_nowhere();
    step_close(&step);
}

TEST(asked_again_it_reads_what_it_wrote_and_touches_nothing)
{
    struct pb_step step;
    struct pb_workspace *workspace;
    char requests[32];

    step_open(&step, &bench, "issue-12", 1);
    workspace = prepare(&step);
    (void)snprintf(requests, sizeof(requests), "%s", says(&bench, "wc -l < origin/requests"));
    as_task(&bench, "echo changed > '%s/README.md'", workspace->path);
    step_close(&step);

    step_open(&step, &bench, "issue-12", 1);
    step.token = "wrong";
    workspace = prepare(&step);
    assert_string_equal(workspace->agent_notes, "# Notes\n");
    assert_string_equal(says(&bench, "cat '%s/README.md'", workspace->path), "changed");
    assert_string_equal(requests, says(&bench, "wc -l < origin/requests"));
    step_close(&step);
}

TEST(without_a_repository_there_is_an_empty_folder)
{
    struct pb_step step;
    struct pb_workspace *workspace;
    struct pb_error err = {0};
    bool has_commits = true;

    step_open(&step, &bench, "issue-12", 1);
    step.plan.repo.url = NULL;
    workspace = prepare(&step);
    as_task(&bench, "cd '%s'; touch x; test -d '%s'", workspace->path, workspace->home);
    assert_ok(pb_workspace_wrap_up(&step, workspace, &has_commits, &err), &err);
    assert_false(has_commits);
    step_close(&step);
}

TEST(what_cannot_be_fetched_says_why)
{
    struct pb_step step;
    char url[200];

    step_open(&step, &bench, "issue-12", 1);
    step.token = "ghp_WrongToken0123456789";
    assert_refused_as(&step, "github_auth");
    step.token = BENCH_TOKEN;

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/missing.git", bench.server_port);
    step.plan.repo.url = url;
    assert_refused_as(&step, "repo_gone");
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/empty.git", bench.server_port);
    assert_refused_as(&step, "repo_empty");
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:1/site.git");
    assert_refused_as(&step, "network");
    step.plan.repo.url = bench.url;
    step.plan.repo.base_branch = "missing";
    assert_refused_as(&step, "workspace");
    step.plan.repo.base_branch = "main";
    step.cancelled = true;
    assert_refused_as(&step, "cancelled");
    assert_token_is_nowhere();
    step_close(&step);
}

TEST(addresses_and_branches_that_are_none_are_refused)
{
    static const char *const URLS[] = {"ext::sh -c id",
                                       "file:///etc",
                                       "/etc",
                                       "ssh://host/x",
                                       "https://",
                                       "https://host",
                                       "https://-oProxy/x",
                                       "https://user:pass@host/x",
                                       "https://host/x?y",
                                       "--upload-pack=x"};
    static const char *const BRANCHES[] = {"",       "-x",    "main", "a..b",         "a/.b",
                                           "a.lock", "a b",   "a~1",  "refs/heads/x", "a//b",
                                           "a:b",    "+x:y ", "@",    "a\\b",         "a/"};
    struct pb_step step;

    step_open(&step, &bench, "issue-12", 1);
    for (size_t i = 0; i < COUNT(URLS); i++) {
        step.plan.repo.url = URLS[i];
        assert_refused_as(&step, "invalid_settings");
    }
    step.plan.repo.url = bench.url;
    for (size_t i = 0; i < COUNT(BRANCHES); i++) {
        step.plan.repo.branch = BRANCHES[i];
        assert_refused_as(&step, "invalid_settings");
    }
    step_close(&step);
}

TEST(a_moved_repository_is_followed_but_the_token_goes_nowhere_else)
{
    struct bench other;
    struct pb_step step;
    char url[200];

    bench_open(&other);
    step_open(&step, &bench, "issue-12", 1);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/moved/site.git", bench.server_port);
    step.plan.repo.url = url;
    assert_true(prepare(&step)->has_repository);
    step_close(&step);

    as_us(&bench, "printf %d > origin/elsewhere", other.server_port);
    step_open(&step, &bench, "issue-13", 1);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/elsewhere/site.git", bench.server_port);
    step.plan.repo.url = url;
    assert_refused_as(&step, "github_auth");
    as_us(&other, "test -s origin/requests; ! grep Basic origin/requests");
    step_close(&step);
    bench_close(&other);
}

TEST(a_plan_that_resumes_finds_things_as_they_were_left)
{
    struct pb_step step;
    struct pb_workspace *workspace;

    step_open(&step, &bench, "issue-12", 1);
    workspace = prepare(&step);
    as_task(
        &bench,
        "cd '%s'; echo mine > new; echo more >> README.md; git add README.md; git commit -qm mine",
        workspace->path);
    step_close(&step);

    step_open(&step, &bench, "issue-12", 2);
    step.plan.resume = true;
    workspace = prepare(&step);
    as_task(&bench,
            "cd '%s'; test \"$(cat new)\" = mine; test \"$(git log -1 --format=%%s)\" = mine",
            workspace->path);
    step_close(&step);
}

TEST(a_plan_that_does_not_resume_begins_anew_and_keeps_the_old_aside)
{
    struct pb_step step;
    struct pb_workspace *workspace;

    step_open(&step, &bench, "issue-12", 1);
    workspace = prepare(&step);
    as_task(
        &bench,
        "cd '%s'; echo a >> README.md; git commit -qam mine; echo b >> README.md; echo c > new; "
        "echo built > ignored; echo ignored > .git/info/exclude; git checkout -q -b elsewhere",
        workspace->path);
    step_close(&step);

    step_open(&step, &bench, "issue-12", 2);
    workspace = prepare(&step);
    as_task(&bench,
            "cd '%s'; test -z \"$(git status --porcelain)\"; test \"$(cat README.md)\" = hello; "
            "test \"$(git symbolic-ref HEAD)\" = refs/heads/poppo/issue-12; test -e ignored; "
            "test \"$(git log -1 --format=%%s refs/poppo/kept/issue-12.2)\" = mine; git stash list "
            "| grep -q kept",
            workspace->path);
    step_close(&step);
}

TEST(any_state_a_task_leaves_can_be_begun_anew)
{
    static const char *const MESSES[] = {
        "git checkout -q -b x; echo x > README.md; git commit -qam x; git checkout -q -; echo y > "
        "README.md; "
        "git commit -qam y; git merge x || true",
        "git checkout -q -b x2; echo x > README.md; git commit -qam x; git checkout -q -; echo y > "
        "README.md; "
        "git commit -qam y; git rebase x2 || true",
        "git checkout -q --detach; rm -rf src; ln -s /etc src",
        "touch .git/index.lock",
        "printf broken > .git/index",
        "printf broken > .git/HEAD",
        "rm -rf .git",
        "rm -rf .git; echo 'gitdir: /etc' > .git",
        "printf '[core]\\n\\tworktree = /etc\\n' >> .git/config",
        "printf 'broken' > .git/config",
        "rm -rf .git/objects",
        "chmod -R a-w src; mkdir -m 0 locked; rm .git/HEAD",
    };

    for (size_t i = 0; i < COUNT(MESSES); i++) {
        struct pb_step step;
        struct pb_workspace *workspace;

        step_open(&step, &bench, "issue-12", (int)i * 2 + 1);
        workspace = prepare(&step);
        as_task(&bench, "cd '%s'; %s", workspace->path, MESSES[i]);
        step_close(&step);
        step_open(&step, &bench, "issue-12", (int)i * 2 + 2);
        workspace = prepare(&step);
        as_task(&bench,
                "cd '%s'; test \"$(cat README.md)\" = hello; test \"$(cat src/a)\" = 1; test -z "
                "\"$(git status --porcelain)\"",
                workspace->path);
        step_close(&step);
    }
}

/* Somebody pushes to our branch between two attempts. */
static void others_push(const char *script)
{
    as_us(&bench,
          "rm -rf other; git clone -q -b main origin/site.git other; cd other; "
          "git checkout -q -B poppo/issue-12 $(git rev-parse -q --verify origin/poppo/issue-12 || "
          "git rev-parse HEAD); "
          "%s; git push -q origin poppo/issue-12",
          script);
}

TEST(what_others_pushed_to_the_branch_comes_in)
{
    struct pb_step step;
    struct pb_workspace *workspace;

    step_open(&step, &bench, "issue-12", 1);
    workspace = prepare(&step);
    as_task(&bench, "echo mine > '%s/new'", workspace->path);
    step_close(&step);

    others_push("echo theirs > theirs; git add -A; git commit -qm theirs");
    step_open(&step, &bench, "issue-12", 2);
    step.plan.resume = true;
    workspace = prepare(&step);
    assert_string_equal(workspace->branch_sha, says(&bench, "git -C other rev-parse HEAD"));
    as_task(&bench, "cd '%s'; test -e theirs; test \"$(cat new)\" = mine", workspace->path);
    step_close(&step);

    step_open(&step, &bench, "issue-13", 1); /* a new clone begins there as well */
    workspace = prepare(&step);
    as_task(
        &bench,
        "cd '%s'; test -e theirs; test \"$(git symbolic-ref HEAD)\" = refs/heads/poppo/issue-12",
        workspace->path);
    step_close(&step);
}

TEST(when_both_went_on_theirs_counts_and_ours_is_kept)
{
    struct pb_step step;
    struct pb_workspace *workspace;

    step_open(&step, &bench, "issue-12", 1);
    workspace = prepare(&step);
    as_task(&bench, "cd '%s'; echo mine > new; git add -A; git commit -qm mine", workspace->path);
    step_close(&step);

    others_push("echo theirs > theirs; git add -A; git commit -qm theirs");
    step_open(&step, &bench, "issue-12", 2);
    step.plan.resume = true;
    workspace = prepare(&step);
    as_task(&bench,
            "cd '%s'; test -e theirs; test ! -e new; test \"$(git log -1 --format=%%s "
            "refs/poppo/kept/issue-12.2)\" = mine",
            workspace->path);
    assert_non_null(strstr(pb_buf_string(&step.log), "w others have pushed"));
    step_close(&step);
}

TEST(a_fetch_that_was_killed_does_not_stop_the_next)
{
    struct pb_step step;

    step_open(&step, &bench, "issue-12", 1);
    (void)prepare(&step);
    step_close(&step);
    as_us(&bench, "cd projects/site/data/cache.git; touch packed-refs.lock HEAD.lock config.lock "
                  "refs/heads/main.lock");
    as_us(&bench,
          "cd work; echo 2 > src/a; git commit -qam second; git push -q ../origin/site.git main");
    step_open(&step, &bench, "issue-13", 1);
    assert_string_equal(says(&bench, "git -C work rev-parse HEAD"), prepare(&step)->base_sha);
    step_close(&step);
}

struct parallel {
    struct pb_step step;
    char item[16];
    int result;
    struct pb_error err;
};

static void prepare_in_thread(void *arg)
{
    struct parallel *parallel = arg;
    struct pb_workspace *workspace;

    parallel->result =
        pb_workspace_prepare(&parallel->step, &parallel->step.arena, &workspace, &parallel->err);
}

TEST(eight_attempts_prepare_at_once)
{
    static struct parallel all[8];
    struct pb_thread *threads[8];
    struct pb_error err = {0};

    for (int i = 0; i < 8; i++) {
        (void)snprintf(all[i].item, sizeof(all[i].item), "issue-%d", i);
        step_open(&all[i].step, &bench, all[i].item, 1);
        threads[i] = pb_thread_start("prepare", prepare_in_thread, &all[i], &err);
        assert_non_null(threads[i]);
    }
    for (int i = 0; i < 8; i++)
        pb_thread_join(&threads[i]);
    for (int i = 0; i < 8; i++) {
        assert_ok(all[i].result, &all[i].err);
        as_task(&bench, "cd projects/site/workspace/issue-%d; test \"$(cat README.md)\" = hello",
                i);
        step_close(&all[i].step);
    }
}

TEST(notes_are_a_file_of_the_base_branch_and_nothing_else)
{
    struct pb_step step;
    struct pb_workspace *workspace;

    as_us(&bench, "cd work; rm CLAUDE.md; ln -s /etc/passwd CLAUDE.md; git add -A; git commit -qm "
                  "link; git push -q ../origin/site.git main");
    step_open(&step, &bench, "issue-12", 1);
    assert_string_equal(prepare(&step)->agent_notes, "");
    step_close(&step);
    as_us(&bench, "cd work; rm CLAUDE.md; head -c 300000 /dev/zero | tr '\\0' x > CLAUDE.md; git "
                  "add -A; git commit -qm long; git push -q ../origin/site.git main");
    step_open(&step, &bench, "issue-12", 2);
    workspace = prepare(&step);
    assert_int_equal(strlen(workspace->agent_notes), PB_WORKSPACE_NOTES_MAX);
    step_close(&step);
}

TEST(a_work_item_is_removed_with_everything_in_it)
{
    struct pb_step step;
    struct pb_workspace *workspace;
    struct pb_error err = {0};

    step_open(&step, &bench, "issue-12", 1);
    workspace = prepare(&step);
    as_task(&bench, "mkdir -p '%s/deep/er'; chmod 0 '%s/deep'; touch '%s/x'", workspace->path,
            workspace->path, workspace->home);
    assert_ok(pb_workspace_remove(&step.host, "issue-12", &err), &err);
    assert_int_equal(access(workspace->path, F_OK), -1);
    assert_int_equal(access(workspace->home, F_OK), -1);
    assert_ok(pb_workspace_remove(&step.host, "issue-12", &err), &err);
    step_close(&step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(a_first_attempt_gets_a_clone_on_a_branch_of_its_own),
        T(asked_again_it_reads_what_it_wrote_and_touches_nothing),
        T(without_a_repository_there_is_an_empty_folder),
        T(what_cannot_be_fetched_says_why),
        T(addresses_and_branches_that_are_none_are_refused),
        T(a_moved_repository_is_followed_but_the_token_goes_nowhere_else),
        T(a_plan_that_resumes_finds_things_as_they_were_left),
        T(a_plan_that_does_not_resume_begins_anew_and_keeps_the_old_aside),
        T(any_state_a_task_leaves_can_be_begun_anew),
        T(what_others_pushed_to_the_branch_comes_in),
        T(when_both_went_on_theirs_counts_and_ours_is_kept),
        T(a_fetch_that_was_killed_does_not_stop_the_next),
        T(eight_attempts_prepare_at_once),
        T(notes_are_a_file_of_the_base_branch_and_nothing_else),
        T(a_work_item_is_removed_with_everything_in_it),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
