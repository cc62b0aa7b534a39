#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "git_bench.h"

static struct bench bench;
static struct pb_step step;
static struct pb_workspace *workspace;

static int set_up(void **state)
{
    (void)state;
    bench_open(&bench);
    step_open(&step, &bench, "issue-12", 1);
    workspace = prepare(&step);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    step_close(&step);
    bench_close(&bench);
    return 0;
}

#define IN_WORKSPACE(script) as_task(&bench, "cd '%s'; " script, workspace->path)

static const char *branch_at_origin(void)
{
    return says(
        &bench,
        "git -C origin/site.git rev-parse -q --verify refs/heads/poppo/issue-12 || echo none");
}

/* Wraps up, and expects publishing to be refused with words. Origin must be as it was. */
static void assert_refused_with(const char *reason, const char *words)
{
    struct pb_publication publication;
    struct pb_error err = {0};
    bool has_commits = false;
    char before[100];

    (void)snprintf(before, sizeof(before), "%s", branch_at_origin());
    assert_ok(pb_workspace_wrap_up(&step, workspace, &has_commits, &err), &err);
    assert_true(has_commits);
    if (pb_publish(&step, workspace, &step.arena, &publication, &err) == 0)
        fail_msg("published:\n%s", says(&bench, "git -C origin/site.git show -U0 --text "
                                                "poppo/issue-12 | cut -c1-200 | tr '\\n' '|'"));
    if (strcmp(err.reason, reason) != 0 || !strstr(err.message, words))
        fail_msg("[%s] %s\n%s", err.reason, err.message, pb_buf_string(&step.log));
    assert_string_equal(branch_at_origin(), before);
    assert_int_equal(access(pb_step_attempt_dir(&step), F_OK), 0);
}

/* The next attempt at the same item. */
static void next_attempt(int number, bool resume)
{
    step_close(&step);
    step_open(&step, &bench, "issue-12", number);
    step.plan.resume = resume;
    workspace = prepare(&step);
}

TEST(what_is_left_is_committed_and_pushed)
{
    struct pb_publication publication;

    IN_WORKSPACE("echo more >> README.md; printf 'a\\nb\\n' > 'src/n w'; rm src/a");
    publication = publish(&step, workspace);
    assert_true(publication.pushed);
    assert_string_equal(publication.branch, "poppo/issue-12");
    assert_string_equal(publication.base_sha, workspace->base_sha);
    assert_string_equal(publication.head_sha, branch_at_origin());
    assert_int_equal(publication.commits, 1);
    assert_int_equal(publication.files_changed, 3);
    assert_int_equal(publication.insertions, 3);
    assert_int_equal(publication.deletions, 1);
    assert_string_equal(publication.changed_files[0], "README.md");
    assert_string_equal(publication.changed_files[2], "src/n w");
    assert_null(publication.changed_files[3]);
    assert_string_equal(
        says(&bench, "git -C origin/site.git log -1 --format='%%an <%%ae> "
                     "%%s|%%(trailers:key=Requested-by,separator=;)' poppo/issue-12"),
        "poppo[bot] <poppo@example.invalid> Fix the   greeting (#12)|Requested-by: alice");
    as_us(&bench, "git -C origin/site.git fsck --strict >/dev/null; test ! -e '%s/publish.git'",
          pb_step_attempt_dir(&step));
    /* It was read where the task user cannot change it. */
    as_us(&bench, "test ! -e '%s/exchange/result.bundle'", pb_step_attempt_dir(&step));
}

TEST(publishing_again_is_success_without_a_push)
{
    struct pb_publication publication;
    char first[100];

    IN_WORKSPACE("echo more >> README.md");
    publication = publish(&step, workspace);
    (void)snprintf(first, sizeof(first), "%s", publication.head_sha);
    as_us(&bench, "printf '#!/bin/sh\\nexit 1\\n' > origin/site.git/hooks/pre-receive; chmod +x "
                  "origin/site.git/hooks/pre-receive");
    publication = publish(&step, workspace);
    assert_true(publication.pushed);
    assert_string_equal(publication.head_sha, first);
    assert_int_equal(publication.commits, 1);
}

TEST(no_change_is_no_publication)
{
    struct pb_error err = {0};
    bool has_commits = true;

    IN_WORKSPACE("echo ignored > .git/info/exclude; touch ignored");
    assert_ok(pb_workspace_wrap_up(&step, workspace, &has_commits, &err), &err);
    assert_false(has_commits);
}

TEST(commits_of_the_task_s_own_are_kept_wherever_they_are)
{
    struct pb_publication publication;

    IN_WORKSPACE("git checkout -q -b my-own-idea; echo 1 > one; git add -A; git commit -qm one; "
                 "echo 2 > two; "
                 "git add -A; git commit -qm two; git checkout -q --detach; echo 3 > three");
    publication = publish(&step, workspace);
    assert_int_equal(publication.commits, 3);
    assert_string_equal(
        says(&bench, "git -C origin/site.git log --format=%%s -n2 poppo/issue-12 | tail -1"),
        "two");
}

TEST(a_second_attempt_adds_to_the_branch)
{
    struct pb_publication publication;
    char first[100];

    IN_WORKSPACE("echo 1 > one");
    publication = publish(&step, workspace);
    (void)snprintf(first, sizeof(first), "%s", publication.head_sha);
    next_attempt(2, true);
    IN_WORKSPACE("echo 2 > two");
    publication = publish(&step, workspace);
    assert_string_equal(publication.base_sha, first);
    assert_int_equal(publication.commits, 1);
    assert_int_equal(publication.files_changed, 1);
    next_attempt(3, false);
    IN_WORKSPACE("test -e two; echo 3 > three");
    publication = publish(&step, workspace);
    assert_int_equal(publication.commits, 1);
    assert_string_equal(says(&bench, "git -C origin/site.git rev-list --count poppo/issue-12"),
                        "4");
}

TEST(merging_the_base_branch_is_allowed_with_its_workflows)
{
    as_us(&bench, "cd work; echo 'on: pull_request' > .github/workflows/ci.yml; git commit -qam "
                  "ci; git push -q ../origin/site.git main");
    IN_WORKSPACE("echo 1 > one; git add -A; git commit -qm one");
    next_attempt(2, true);
    IN_WORKSPACE("git merge -q -m merge origin/main");
    assert_true(publish(&step, workspace).pushed);
}

TEST(workflow_files_need_permission)
{
    IN_WORKSPACE("echo 'on: issues' > .github/workflows/new.yml");
    assert_refused_with("publish_refused", ".github/workflows/new.yml");
    step.plan.allow_workflow_files = true;
    assert_true(publish(&step, workspace).pushed);
}

TEST(guarded_files_are_seen_in_every_shape)
{
    static const char *const SCRIPTS[][2] = {
        {"mkdir -p .GitHub/Workflows; echo x > .GitHub/Workflows/x.yml", ".GitHub/Workflows/x.yml"},
        {"echo x > .github/workflows/x.yml; git add -A; git commit -qm x; git rm -q "
         ".github/workflows/x.yml; "
         "git commit -qm 'not any more'",
         ".github/workflows/x.yml"},
        {"git rm -q -r .github", ".github/workflows/ci.yml"},
        {"git mv .github/workflows/ci.yml moved.yml", ".github/workflows/ci.yml"},
        {"rm -rf .github/workflows; ln -s ../src .github/workflows", ".github/workflows"},
        {"chmod +x .github/workflows/ci.yml", ".github/workflows/ci.yml"},
        {"printf '[submodule \"x\"]\\n\\tpath = x\\n\\turl = https://example.invalid/x\\n' > "
         ".gitmodules",
         ".gitmodules"},
        {"git init -q inner; git -C inner commit -q --allow-empty -m x", "inner"},
        /* an evil merge: neither parent has it */
        {"git checkout -q -b side; echo s > s; git add -A; git commit -qm s; git checkout -q -; "
         "echo m > m; git add -A; "
         "git commit -qm m; git merge -q --no-commit side; mkdir -p .github/actions/x; echo x > "
         ".github/actions/x/action.yml; "
         "git add -A; git commit -qm merge",
         ".github/actions/x/action.yml"},
    };

    for (size_t i = 0; i < COUNT(SCRIPTS); i++) {
        as_task(&bench, "cd '%s'; %s", workspace->path, SCRIPTS[i][0]);
        assert_refused_with("publish_refused", SCRIPTS[i][1]);
        next_attempt((int)i + 2, false);
    }
}

TEST(secrets_do_not_leave)
{
    static const char *const SCRIPTS[] = {
        "echo 'key=" BENCH_SECRET "' > config",
        "printf '%s' 'user:" BENCH_SECRET "' | base64 -w0 > config",
        "git commit -q --allow-empty -m 'uses " BENCH_SECRET "'; echo x > x",
        "echo " BENCH_SECRET
        " > x; git add -A; git commit -qm x; git rm -q x; git commit -qm gone; echo y > y",
        "printf '\\0\\0binary" BENCH_SECRET "\\0' > x.bin",
        "head -c 3000000 /dev/zero | tr '\\0' x > long; echo " BENCH_SECRET " >> long",
        "echo x > 's3cr3t'; mkdir -p a; echo " BENCH_TOKEN " > a/b",
    };

    for (size_t i = 0; i < COUNT(SCRIPTS); i++) {
        as_task(&bench, "cd '%s'; %s", workspace->path, SCRIPTS[i]);
        assert_refused_with("publish_refused", "secret");
        next_attempt((int)i + 2, false);
    }
}

TEST(a_secret_may_be_taken_away)
{
    as_us(&bench,
          "cd work; echo '%s' > leaked; git add -A; git commit -qm leak; git push -q "
          "../origin/site.git main",
          BENCH_SECRET);
    next_attempt(2, false);
    IN_WORKSPACE("git rm -q leaked");
    assert_true(publish(&step, workspace).pushed);
}

TEST(a_result_that_does_not_build_on_the_branch_is_refused)
{
    IN_WORKSPACE("git checkout -q --orphan fresh; git commit -qm 'all new'");
    assert_refused_with("publish_refused", "does not build on");
}

TEST(a_result_too_large_is_refused)
{
    IN_WORKSPACE("truncate -s 96M big");
    assert_refused_with("publish_refused", "larger than 95 MiB");
    next_attempt(2, false);
    IN_WORKSPACE("truncate -s 95M big");
    assert_true(publish(&step, workspace).pushed);
}

TEST(a_conflict_left_behind_is_said_not_committed)
{
    struct pb_error err = {0};
    bool has_commits;

    IN_WORKSPACE("git checkout -q -b x; echo x > README.md; git commit -qam x; git checkout -q -; "
                 "echo y > README.md; "
                 "git commit -qam y; git merge x >/dev/null || true");
    assert_int_equal(pb_workspace_wrap_up(&step, workspace, &has_commits, &err), -1);
    assert_string_equal(err.reason, "workspace");
    assert_non_null(strstr(err.message, "README.md"));
}

TEST(what_others_pushed_meanwhile_is_respected)
{
    char theirs[100];

    IN_WORKSPACE("echo mine > mine");
    as_us(&bench, "rm -rf other; git clone -q origin/site.git other; cd other; git checkout -q -b "
                  "poppo/issue-12; "
                  "echo theirs > theirs; git add -A; git commit -qm theirs; git push -q origin "
                  "poppo/issue-12");
    (void)snprintf(theirs, sizeof(theirs), "%s", branch_at_origin());
    assert_refused_with("push_rejected", "others have pushed");
    assert_string_equal(branch_at_origin(), theirs);
}

TEST(a_branch_that_went_on_from_ours_is_success)
{
    struct pb_publication publication;

    IN_WORKSPACE("echo mine > mine");
    publication = publish(&step, workspace);
    as_us(&bench, "rm -rf other; git clone -q -b poppo/issue-12 origin/site.git other; cd other; "
                  "git commit -q --allow-empty -m theirs; git push -q");
    publication = publish(&step, workspace);
    assert_true(publication.pushed);
    assert_string_not_equal(publication.head_sha, branch_at_origin());
}

TEST(a_push_the_server_refuses_says_what_it_said)
{
    as_us(&bench, "printf '#!/bin/sh\\necho branch is protected >&2\\nexit 1\\n' > "
                  "origin/site.git/hooks/pre-receive; "
                  "chmod +x origin/site.git/hooks/pre-receive");
    IN_WORKSPACE("echo 1 > one");
    assert_refused_with("push_rejected", "pre-receive hook declined");
    assert_non_null(strstr(pb_buf_string(&step.log), "branch is protected"));
}

TEST(without_the_platform_s_word_nothing_is_pushed)
{
    IN_WORKSPACE("echo 1 > one");
    step.push_denied = "node_lost";
    assert_refused_with("node_lost", "not yours");
}

/* What lies in exchange/ may be anything. */
static void replace_bundle(const char *script)
{
    struct pb_publication publication;
    struct pb_error err = {0};
    bool has_commits = false;

    assert_ok(pb_workspace_wrap_up(&step, workspace, &has_commits, &err), &err);
    as_task(&bench, "cd '%s/exchange'; W='%s'; %s", pb_step_attempt_dir(&step), workspace->path,
            script);
    assert_int_equal(pb_publish(&step, workspace, &step.arena, &publication, &err), -1);
    if (strcmp(err.reason, "publish_refused") != 0)
        fail_msg("%s: [%s] %s", script, err.reason, err.message);
    assert_string_equal(branch_at_origin(), "none");
}

TEST(a_forged_bundle_is_refused)
{
    IN_WORKSPACE("echo 1 > one");
    replace_bundle("echo nonsense > result.bundle");
    replace_bundle("truncate -s 100 result.bundle");
    replace_bundle("rm result.bundle; ln -s /etc/passwd result.bundle");
    replace_bundle("rm result.bundle; mkfifo result.bundle");
    replace_bundle("truncate -s 400M result.bundle");
    replace_bundle("rm result.bundle; git -C \"$W\" bundle create -q $PWD/result.bundle "
                   "poppo/issue-12 ^origin/main");
    /* needs a commit nobody has */
    replace_bundle("cd \"$W\"; A=$(git commit-tree -m a HEAD^{tree} -p HEAD); B=$(git commit-tree "
                   "-m b HEAD^{tree} -p $A); "
                   "git update-ref refs/heads/x $B; git checkout -q x; git bundle create -q "
                   "$OLDPWD/result.bundle HEAD ^$A; "
                   "git checkout -q -");
    /* objects git itself would not make */
    replace_bundle("cd \"$W\"; E=$(printf 'x' | git hash-object -w --stdin); "
                   "T=$(printf '100644 .git\\0' > t; perl -e 'print pack q(H*), shift' $E >> t; "
                   "git hash-object -t tree -w --literally t); rm t; "
                   "C=$(git commit-tree -m evil -p HEAD $T); git update-ref --no-deref HEAD $C; "
                   "git bundle create -q $OLDPWD/result.bundle HEAD ^origin/main");
}

/*
 * Everything a workspace can make git run or send: who runs it, and what it
 * sees. Each trap writes its user and its environment down.
 */
TEST(a_hostile_workspace_runs_nothing_of_ours_and_sees_no_token)
{
    as_us(&bench,
          "mkdir -m 1777 traps; printf '#!/bin/sh\\n(id -u; env) >> %s/traps/sprung-$$\\ncat\\n' > "
          "trap; chmod 755 . trap",
          bench.dir);
    as_task(&bench,
            "cd '%s'; T='%s/trap'; "
            "for h in pre-commit post-commit post-checkout pre-push reference-transaction "
            "post-index-change; do "
            "cp $T .git/hooks/$h; done; "
            "git config core.fsmonitor $T; git config core.sshCommand $T; git config core.pager "
            "$T; git config core.editor $T; "
            "git config credential.helper \"!$T\"; git config filter.evil.clean $T; git config "
            "filter.evil.smudge $T; "
            "git config filter.evil.process $T; git config diff.evil.textconv $T; git config "
            "diff.external $T; "
            "git config merge.evil.driver $T; git config gpg.program $T; git config commit.gpgSign "
            "true; "
            "git config core.hooksPath $PWD/.git/hooks; git config core.alternateRefsCommand $T; "
            "git config uploadpack.packObjectsHook $T; git config "
            "url.http://127.0.0.1:1/.insteadOf '%s'; "
            "git config receive.fsckObjects false; git config http.proxy http://127.0.0.1:1; "
            "echo '* filter=evil diff=evil merge=evil' > .gitattributes; echo 1 > one",
            workspace->path, bench.dir, bench.url);
    assert_true(publish(&step, workspace).pushed);
    next_attempt(2, true);
    IN_WORKSPACE("echo 2 > two");
    assert_true(publish(&step, workspace).pushed);
    next_attempt(3, false);
    as_us(&bench,
          "ls traps | grep -q sprung; " /* they do work: the task user's own git met them */
          "for f in traps/*; do test \"$(head -1 $f)\" = %d; done; "
          "! grep -r -e '%s' -e Authorization -e \"$(printf 'x-access-token:%s' | base64 -w0)\" "
          "traps",
          (int)bench.dirs.task_uid, BENCH_TOKEN, BENCH_TOKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(what_is_left_is_committed_and_pushed),
        T(publishing_again_is_success_without_a_push),
        T(no_change_is_no_publication),
        T(commits_of_the_task_s_own_are_kept_wherever_they_are),
        T(a_second_attempt_adds_to_the_branch),
        T(merging_the_base_branch_is_allowed_with_its_workflows),
        T(workflow_files_need_permission),
        T(guarded_files_are_seen_in_every_shape),
        T(secrets_do_not_leave),
        T(a_secret_may_be_taken_away),
        T(a_result_that_does_not_build_on_the_branch_is_refused),
        T(a_result_too_large_is_refused),
        T(a_conflict_left_behind_is_said_not_committed),
        T(what_others_pushed_meanwhile_is_respected),
        T(a_branch_that_went_on_from_ours_is_success),
        T(a_push_the_server_refuses_says_what_it_said),
        T(without_the_platform_s_word_nothing_is_pushed),
        T(a_forged_bundle_is_refused),
        T(a_hostile_workspace_runs_nothing_of_ours_and_sees_no_token),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
