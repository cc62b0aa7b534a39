#include <string.h>

#include "pb_test.h"
#include "wire/message.h"

static const enum pb_message_type TYPES[] = {
#define X(type, number, name, from, when, scope) PB_MESSAGE_##type,
    PB_MESSAGES(X)
#undef X
};

static const enum pb_message_end SENDERS[] = {
#define X(type, number, name, from, when, scope) PB_MESSAGE_FROM_##from,
    PB_MESSAGES(X)
#undef X
};

static const enum pb_message_scope SCOPES[] = {
#define X(type, number, name, from, when, scope) PB_MESSAGE_SCOPE_##scope,
    PB_MESSAGES(X)
#undef X
};

static const char ULID[] = "01J8ZQ4V5N6M7K8J9H0G1F2E3D";

static void build(struct pb_buf *buf, enum pb_message_type type, const char *project,
                  const void *blob, size_t blob_len)
{
    struct pb_message_builder b;

    pb_buf_init(buf, PB_MESSAGE_FRAME_MAX + 4096);
    pb_message_begin(&b, buf, type, project);
    pb_json_put_text(&b.json, "word", "sjöwert");
    pb_message_end(&b, blob, blob_len);
    assert_false(pb_buf_failed(buf));
}

TEST(every_message_comes_back_as_it_was_built)
{
    static const char BLOB[] = "1 o a\n\0\xff";

    for (size_t i = 0; i < COUNT(TYPES); i++) {
        const char *project = SCOPES[i] == PB_MESSAGE_SCOPE_PROJECT ? "acme-site" : "";
        struct pb_message message;
        struct pb_error err;
        struct pb_buf buf;

        build(&buf, TYPES[i], project, BLOB, sizeof(BLOB));
        assert_ok(pb_message_parse(buf.data, buf.len, &message, &err), &err);
        assert_int_equal(message.head.type, TYPES[i]);
        assert_string_equal(message.head.project, project);
        assert_string_equal(pb_json_text(message.body, "word", ""), "sjöwert");
        assert_int_equal(message.head.blob_len, sizeof(BLOB));
        assert_memory_equal(message.head.blob, BLOB, sizeof(BLOB));
        pb_message_release(&message);
        pb_buf_release(&buf);
    }
}

TEST(a_frame_cut_anywhere_is_refused_or_only_its_blob_is_shorter)
{
    struct pb_message_head head;
    struct pb_message_head whole;
    struct pb_error err;
    struct pb_buf buf;

    build(&buf, PB_MESSAGE_LOG_CHUNK, "p", "12345", 5);
    assert_ok(pb_message_peek(buf.data, buf.len, &whole, &err), &err);
    for (size_t len = 0; len < buf.len; len++) {
        char *copy =
            test_malloc(len + 1); /* exactly as long, so that a read past the end is seen */

        memcpy(copy, buf.data, len);
        if (pb_message_peek(copy, len, &head, &err) == 0)
            assert_true(len >= buf.len - 5 && head.body_len == whole.body_len);
        else
            assert_int_equal(err.code, PB_ERROR_INVALID);
        test_free(copy);
    }
    pb_buf_release(&buf);
}

TEST(scope_decides_whether_a_project_must_be_named)
{
    for (size_t i = 0; i < COUNT(TYPES); i++) {
        bool is_project = SCOPES[i] == PB_MESSAGE_SCOPE_PROJECT;
        struct pb_message_head head;
        struct pb_error err;
        struct pb_buf buf;

        build(&buf, TYPES[i], is_project ? "" : "p", NULL, 0);
        assert_refused(pb_message_peek(buf.data, buf.len, &head, &err), &err, PB_ERROR_INVALID);
        pb_buf_release(&buf);
    }
}

TEST(a_project_id_is_a_slug)
{
    char longest[65];

    memset(longest, 'a', 63);
    longest[63] = '\0';
    assert_true(pb_message_project_valid(longest));
    assert_true(pb_message_project_valid("0-a"));
    longest[63] = 'a';
    longest[64] = '\0';
    assert_false(pb_message_project_valid(longest));
    assert_false(pb_message_project_valid(""));
    assert_false(pb_message_project_valid(NULL));
    assert_false(pb_message_project_valid("-a"));
    assert_false(pb_message_project_valid("A"));
    assert_false(pb_message_project_valid("a/b"));
    assert_false(pb_message_project_valid(".."));
    assert_false(pb_message_project_valid("a.b"));
    assert_false(pb_message_project_valid("ä"));
}

TEST(unknown_types_and_other_magics_are_refused)
{
    struct pb_message_head head;
    struct pb_error err;
    struct pb_buf buf;

    build(&buf, PB_MESSAGE_HELLO, NULL, NULL, 0);
    for (unsigned number = 0; number < 256; number++) {
        bool is_known = false;

        for (size_t i = 0; i < COUNT(TYPES); i++)
            is_known = is_known || (unsigned)TYPES[i] == number;
        buf.data[1] = (char)number;
        if (is_known) {
            assert_string_not_equal(pb_message_name((enum pb_message_type)number), "?");
            continue;
        }
        assert_refused(pb_message_peek(buf.data, buf.len, &head, &err), &err, PB_ERROR_INVALID);
        assert_string_equal(pb_message_name((enum pb_message_type)number), "?");
    }
    buf.data[1] = PB_MESSAGE_HELLO;
    buf.data[0] = 'Q';
    assert_refused(pb_message_peek(buf.data, buf.len, &head, &err), &err, PB_ERROR_INVALID);
    pb_buf_release(&buf);
}

TEST(lengths_that_lie_are_refused)
{
    static const unsigned char LIES[][4] = {{0xff, 0xff, 0xff, 0xff},
                                            {0x7f, 0xff, 0xff, 0xff},
                                            {0, 0, 1, 0}};
    struct pb_message_head head;
    struct pb_error err;
    struct pb_buf buf;

    for (size_t i = 0; i < COUNT(LIES); i++) {
        build(&buf, PB_MESSAGE_HELLO, NULL, NULL, 0);
        memcpy(buf.data + 4, LIES[i], 4);
        assert_refused(pb_message_peek(buf.data, buf.len, &head, &err), &err, PB_ERROR_INVALID);
        pb_buf_release(&buf);
    }
    build(&buf, PB_MESSAGE_LOG_ACK, "p", NULL, 0);
    buf.data[2] = (char)0xff;
    assert_refused(pb_message_peek(buf.data, buf.len, &head, &err), &err, PB_ERROR_INVALID);
    pb_buf_release(&buf);
}

TEST(a_body_is_an_object)
{
    static const char *const BODIES[] = {"", "[]", "1", "{", "{\"a\":1,\"a\":2}", "\"x\"", "{}x"};
    struct pb_message message;
    struct pb_error err;

    for (size_t i = 0; i < COUNT(BODIES); i++) {
        size_t len = strlen(BODIES[i]);
        unsigned char frame[64] = {'P', PB_MESSAGE_HELLO, 0, 0, 0, 0, 0, (unsigned char)len};

        memcpy(frame + 8, BODIES[i], len);
        assert_refused(pb_message_parse(frame, 8 + len, &message, &err), &err, PB_ERROR_INVALID);
    }
}

TEST(a_frame_longer_than_the_limit_fails_the_buffer)
{
    static char blob[PB_MESSAGE_FRAME_MAX];
    struct pb_message_builder b;
    struct pb_buf buf;

    pb_buf_init(&buf, 4 << 20);
    pb_message_begin(&b, &buf, PB_MESSAGE_LOG_CHUNK, "p");
    pb_message_end(&b, blob, sizeof(blob) - PB_MESSAGE_HEADER_BYTES - 1 - 2);
    assert_false(pb_buf_failed(&buf));
    assert_int_equal(buf.len, PB_MESSAGE_FRAME_MAX);
    pb_buf_clear(&buf);
    pb_message_begin(&b, &buf, PB_MESSAGE_LOG_CHUNK, "p");
    pb_message_end(&b, blob, sizeof(blob) - PB_MESSAGE_HEADER_BYTES - 1 - 1);
    assert_true(pb_buf_failed(&buf));
    pb_buf_release(&buf);
}

/* What may be sent in each of the four states a connection can be in. */
TEST(every_message_is_allowed_exactly_when_the_table_says)
{
    for (int spoke = 0; spoke < 4; spoke++) {
        for (size_t i = 0; i < COUNT(TYPES); i++) {
            for (int sender = 0; sender < 2; sender++) {
                struct pb_message_gate gate = {(spoke & 1) != 0, (spoke & 2) != 0};
                enum pb_message_end end =
                    sender == 0 ? PB_MESSAGE_FROM_NODE : PB_MESSAGE_FROM_PLATFORM;
                bool allowed = SENDERS[i] == end;
                struct pb_error err;

                if (TYPES[i] == PB_MESSAGE_HELLO)
                    allowed = allowed && !gate.node_spoke;
                else if (TYPES[i] == PB_MESSAGE_WELCOME)
                    allowed = allowed && gate.node_spoke && !gate.platform_spoke;
                else
                    allowed = allowed && gate.node_spoke && gate.platform_spoke;
                if (allowed)
                    assert_ok(pb_message_gate_pass(&gate, end, TYPES[i], &err), &err);
                else
                    assert_refused(pb_message_gate_pass(&gate, end, TYPES[i], &err), &err,
                                   PB_ERROR_DENIED);
            }
        }
    }
}

TEST(a_conversation_passes_the_gate_in_order)
{
    struct pb_message_gate gate = {0};
    struct pb_error err;

    assert_refused(pb_message_gate_pass(&gate, PB_MESSAGE_FROM_PLATFORM, PB_MESSAGE_WELCOME, &err),
                   &err, PB_ERROR_DENIED);
    assert_ok(pb_message_gate_pass(&gate, PB_MESSAGE_FROM_NODE, PB_MESSAGE_HELLO, &err), &err);
    assert_refused(pb_message_gate_pass(&gate, PB_MESSAGE_FROM_NODE, PB_MESSAGE_NODE_STATUS, &err),
                   &err, PB_ERROR_DENIED);
    assert_ok(pb_message_gate_pass(&gate, PB_MESSAGE_FROM_PLATFORM, PB_MESSAGE_WELCOME, &err),
              &err);
    assert_ok(pb_message_gate_pass(&gate, PB_MESSAGE_FROM_NODE, PB_MESSAGE_NODE_STATUS, &err),
              &err);
    assert_refused(pb_message_gate_pass(&gate, PB_MESSAGE_FROM_NODE, PB_MESSAGE_HELLO, &err), &err,
                   PB_ERROR_DENIED);
    assert_refused(pb_message_gate_pass(&gate, PB_MESSAGE_FROM_NODE, (enum pb_message_type)99,
                                        &err),
                   &err, PB_ERROR_DENIED);
}

static int read_ref(const char *text, struct pb_attempt_ref *ref, struct pb_error *err)
{
    struct pb_json *json = pb_json_parse(text, strlen(text), err);
    int r;

    assert_non_null(json);
    r = pb_attempt_ref_read(json, ref, err);
    ref->execution = NULL; /* it dies with the tree */
    pb_json_free(json);
    return r;
}

TEST(an_attempt_is_named_by_execution_number_and_fence)
{
    struct pb_attempt_ref ref = {ULID, 2, 7};
    struct pb_json_writer json;
    struct pb_error err;
    struct pb_buf buf;

    pb_buf_init(&buf, 1024);
    pb_json_writer_init(&json, &buf);
    pb_json_begin_object(&json, NULL);
    pb_attempt_ref_put(&json, &ref);
    pb_json_end_object(&json);
    ref = (struct pb_attempt_ref){0};
    assert_ok(read_ref(pb_buf_string(&buf), &ref, &err), &err);
    assert_int_equal(ref.attempt, 2);
    assert_int_equal(ref.fence, 7);
    pb_buf_release(&buf);
    assert_refused(read_ref("{\"execution\":\"../../etc\",\"attempt\":1}", &ref, &err), &err,
                   PB_ERROR_INVALID);
    assert_refused(read_ref("{\"execution\":\"01J8ZQ4V5N6M7K8J9H0G1F2E3D\",\"attempt\":0}", &ref,
                            &err),
                   &err, PB_ERROR_INVALID);
    assert_refused(read_ref("{\"execution\":\"01J8ZQ4V5N6M7K8J9H0G1F2E3D\"}", &ref, &err), &err,
                   PB_ERROR_INVALID);
    assert_refused(
        read_ref("{\"execution\":\"01J8ZQ4V5N6M7K8J9H0G1F2E3D\",\"attempt\":1,\"fence\":-1}", &ref,
                 &err),
        &err, PB_ERROR_INVALID);
    assert_refused(read_ref("{\"attempt\":1}", &ref, &err), &err, PB_ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_as_it_was_built),
        cmocka_unit_test(a_frame_cut_anywhere_is_refused_or_only_its_blob_is_shorter),
        cmocka_unit_test(scope_decides_whether_a_project_must_be_named),
        cmocka_unit_test(a_project_id_is_a_slug),
        cmocka_unit_test(unknown_types_and_other_magics_are_refused),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(a_body_is_an_object),
        cmocka_unit_test(a_frame_longer_than_the_limit_fails_the_buffer),
        cmocka_unit_test(every_message_is_allowed_exactly_when_the_table_says),
        cmocka_unit_test(a_conversation_passes_the_gate_in_order),
        cmocka_unit_test(an_attempt_is_named_by_execution_number_and_fence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
