/*
 * Many WebSocket subscribers in one process, to time one message on its way to all of them.
 *
 *   subscribers PORT [TOKEN]
 *
 * Commands come on standard input, one a line; each is answered with one line:
 *
 *   connect PATH TOPIC[,TOPIC]   one more subscriber                               "ok"
 *   slow PATH TOPIC[,TOPIC]      one that subscribes and then never reads          "ok"
 *   watch MARK MS                until each (but the slow ones) has got a message
 *                                that holds MARK, at most MS milliseconds          "<got> <first> <middle> <last>"
 *
 * Times are nanoseconds of CLOCK_MONOTONIC. "watch" says "watching" first, when it is ready for the message. What goes
 * wrong ends the program with a sentence on standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    SUBSCRIBERS_MAX = 20000,
    COMMAND_MAX = 4096,
    READ_MAX = 256 << 10,
    MARK_MAX = 64,
    HEAD_MAX = 14,
    EVENTS = 512,
    HANDSHAKE_SECONDS = 20,
    SLOW_BUFFER = 4096,
};

enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

struct subscriber {
    int fd;
    bool is_slow;
    unsigned char head[HEAD_MAX]; /* of the frame that is coming */
    size_t head_len;
    uint64_t left;       /* of its payload */
    char tail[MARK_MAX]; /* the end of what was scanned: a mark may be cut */
    size_t tail_len;
    int64_t got_ns; /* when the mark was there; 0 = not yet */
};

static struct subscriber *subscribers;
static size_t count, slow_count;
static int epoll;
static int port;
static const char *token = "";

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)fputs("subscribers: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void send_all(int fd, const void *data, size_t len)
{
    if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("send: %s", strerror(errno));
}

/* A masked frame whose mask is zero, so that its payload stays as it is. */
static void send_frame(int fd, int op, const char *text, size_t len)
{
    unsigned char frame[COMMAND_MAX] = {(unsigned char)(0x80 | op)};
    size_t at = 2;

    if (len > sizeof(frame) - 8)
        die("a frame of %zu bytes is too long", len);
    if (len < 126) {
        frame[1] = (unsigned char)(0x80 | len);
    } else {
        frame[1] = 0x80 | 126;
        frame[at++] = (unsigned char)(len >> 8);
        frame[at++] = (unsigned char)len;
    }
    memcpy(frame + at + 4, text, len);
    send_all(fd, frame, at + 4 + len);
}

/* --- one subscriber comes --------------------------------------------------------------------------------- */

static int dial(bool is_slow)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = HANDSHAKE_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, small = SLOW_BUFFER;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        (is_slow && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) < 0) ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("subscriber %zu cannot connect: %s", count + 1, strerror(errno));
    return fd;
}

static void read_some(int fd, void *data, size_t len)
{
    char *at = data;

    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);

        if (n <= 0)
            die("subscriber %zu: %s", count + 1, n == 0 ? "the server closed it" : strerror(errno));
        at += n;
        len -= (size_t)n;
    }
}

static void upgrade(int fd, const char *path)
{
    char text[COMMAND_MAX];
    size_t len = 0;
    int n =
        snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s%s%s\r\n",
                 path, port, *token ? "Authorization: Bearer " : "", token, *token ? "\r\n" : "");

    if (n < 0 || (size_t)n >= sizeof(text))
        die("the path is too long");
    send_all(fd, text, (size_t)n);
    while (len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4) != 0) {
        if (len == sizeof(text) - 1)
            die("the answer's head is too long");
        read_some(fd, text + len++, 1);
    }
    text[len] = '\0';
    if (strncmp(text, "HTTP/1.1 101 ", 13) != 0)
        die("subscriber %zu is refused: %.60s", count + 1, text);
}

/* Reads one short message, which must be the answer. */
static void expect_subscribed(int fd, const char *topic)
{
    unsigned char head[4];
    char text[COMMAND_MAX];
    size_t len;

    read_some(fd, head, 2);
    len = head[1];
    if (len == 126) {
        read_some(fd, head + 2, 2);
        len = (size_t)head[2] << 8 | head[3];
    }
    if (head[0] != (0x80 | OP_TEXT) || len >= sizeof(text))
        die("topic %s: an answer was expected", topic);
    read_some(fd, text, len);
    text[len] = '\0';
    if (!strstr(text, "\"subscribed\""))
        die("topic %s: %s", topic, text);
}

static void subscribe(int fd, char *topics)
{
    char *rest = NULL;

    for (char *topic = strtok_r(topics, ",", &rest); topic; topic = strtok_r(NULL, ",", &rest)) {
        char text[COMMAND_MAX / 2];
        int n = snprintf(text, sizeof(text), "{\"op\":\"subscribe\",\"topic\":\"%s\"}", topic);

        if (n < 0 || (size_t)n >= sizeof(text))
            die("topic %s is too long", topic);
        send_frame(fd, OP_TEXT, text, (size_t)n);
        expect_subscribed(fd, topic);
    }
}

static void add(const char *path, char *topics, bool is_slow)
{
    struct subscriber *subscriber = &subscribers[count];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = subscriber};

    if (count == SUBSCRIBERS_MAX)
        die("more than %d subscribers", SUBSCRIBERS_MAX);
    *subscriber = (struct subscriber){.fd = dial(is_slow), .is_slow = is_slow};
    upgrade(subscriber->fd, path);
    subscribe(subscriber->fd, topics);
    if (fcntl(subscriber->fd, F_SETFL, O_NONBLOCK) < 0 ||
        (!is_slow && epoll_ctl(epoll, EPOLL_CTL_ADD, subscriber->fd, &event) < 0))
        die("subscriber %zu: %s", count + 1, strerror(errno));
    count++;
    slow_count += is_slow;
    (void)puts("ok");
}

/* --- frames --------------------------------------------------------------------------------------------------- */

static size_t head_needed(const unsigned char *head, size_t len)
{
    unsigned size = len > 1 ? head[1] & 0x7f : 0;

    return len < 2 ? 2 : 2 + (size == 126 ? 2 : size == 127 ? 8 : 0);
}

static uint64_t payload_len(const unsigned char *head)
{
    unsigned size = head[1] & 0x7f;
    uint64_t len = 0;

    if (size < 126)
        return size;
    for (size_t i = 2; i < head_needed(head, 2); i++)
        len = len << 8 | head[i];
    return len;
}

/* Is the mark in the end of what was there, or in what has come? */
static bool has_mark(struct subscriber *subscriber, const char *data, size_t len, const char *mark)
{
    size_t mark_len = strlen(mark), keep = mark_len - 1;
    char seam[2 * MARK_MAX];
    size_t start = len < keep ? len : keep;
    bool found;

    memcpy(seam, subscriber->tail, subscriber->tail_len);
    memcpy(seam + subscriber->tail_len, data, start);
    found = memmem(seam, subscriber->tail_len + start, mark, mark_len) ||
            memmem(data, len, mark, mark_len);
    if (len >= keep) {
        subscriber->tail_len = keep;
        memcpy(subscriber->tail, data + len - keep, keep);
    } else {
        size_t all = subscriber->tail_len + start, drop = all > keep ? all - keep : 0;

        subscriber->tail_len = all - drop;
        memcpy(subscriber->tail, seam + drop, subscriber->tail_len);
    }
    return found;
}

static void begin_payload(struct subscriber *subscriber)
{
    int op = subscriber->head[0] & 0x0f;

    subscriber->left = payload_len(subscriber->head);
    subscriber->tail_len = 0;
    if (op == OP_CLOSE)
        die("a subscriber was closed by the server");
    if (op == OP_PING) /* the payload of a ping is not looked at: an empty pong says that we live */
        send_frame(subscriber->fd, OP_PONG, "", 0);
}

static void take(struct subscriber *subscriber, const char *data, size_t len, const char *mark)
{
    while (len > 0) {
        size_t part;

        if (subscriber->left == 0) {
            subscriber->head[subscriber->head_len++] = (unsigned char)*data++;
            len--;
            if (subscriber->head_len == head_needed(subscriber->head, subscriber->head_len)) {
                begin_payload(subscriber);
                subscriber->head_len = 0;
            }
            continue;
        }
        part = len < subscriber->left ? len : (size_t)subscriber->left;
        if (*mark && has_mark(subscriber, data, part, mark) && !subscriber->got_ns)
            subscriber->got_ns = now_ns();
        subscriber->left -= part;
        data += part;
        len -= part;
    }
}

static void read_subscriber(struct subscriber *subscriber, const char *mark)
{
    static char data[READ_MAX];
    ssize_t n = recv(subscriber->fd, data, sizeof(data), 0);

    if (n > 0)
        take(subscriber, data, (size_t)n, mark);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        die("a subscriber has lost its connection");
}

/* --- waiting for one message ---------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void say_times(void)
{
    int64_t *times = calloc(count + 1, sizeof(*times));
    size_t got = 0;

    if (!times)
        die("no memory");
    for (size_t i = 0; i < count; i++)
        if (subscribers[i].got_ns)
            times[got++] = subscribers[i].got_ns;
    qsort(times, got, sizeof(*times), by_time);
    (void)printf("%zu %lld %lld %lld\n", got, got ? (long long)times[0] : 0LL,
                 got ? (long long)times[got / 2] : 0LL, got ? (long long)times[got - 1] : 0LL);
    free(times);
}

static size_t got_count(void)
{
    size_t got = 0;

    for (size_t i = 0; i < count; i++)
        got += subscribers[i].got_ns != 0;
    return got;
}

static void watch(const char *mark, long ms)
{
    int64_t until = now_ns() + (int64_t)ms * 1000000;
    struct epoll_event events[EVENTS];
    size_t missing = count - slow_count;

    if (strlen(mark) < 2 || strlen(mark) >= MARK_MAX)
        die("a mark has 2 to %d bytes", MARK_MAX - 1);
    for (size_t i = 0; i < count; i++)
        subscribers[i].got_ns = 0;
    (void)puts("watching");
    while (missing > 0 && now_ns() < until) {
        int n = epoll_wait(epoll, events, EVENTS, (int)((until - now_ns()) / 1000000) + 1);

        for (int i = 0; i < n; i++)
            read_subscriber(events[i].data.ptr, mark);
        if (n > 0)
            missing = count - slow_count - got_count();
    }
    say_times();
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static void obey(char *line)
{
    char *rest = NULL;
    const char *verb = strtok_r(line, " \n", &rest);
    char *first = strtok_r(NULL, " \n", &rest);
    char *second = strtok_r(NULL, " \n", &rest);

    if (!verb || !first || !second)
        die("a command has three words");
    if (strcmp(verb, "connect") == 0 || strcmp(verb, "slow") == 0)
        add(first, second, verb[0] == 's');
    else if (strcmp(verb, "watch") == 0)
        watch(first, strtol(second, NULL, 10));
    else
        die("there is no command '%s'", verb);
}

int main(int argc, char **argv)
{
    char line[COMMAND_MAX];

    if (argc < 2)
        die("usage: subscribers PORT [TOKEN]");
    port = (int)strtol(argv[1], NULL, 10);
    if (argc > 2)
        token = argv[2];
    subscribers = calloc(SUBSCRIBERS_MAX, sizeof(*subscribers));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!subscribers || epoll < 0 || setvbuf(stdout, NULL, _IOLBF, 0) != 0)
        die("%s", strerror(errno));
    while (fgets(line, sizeof(line), stdin))
        obey(line);
    return 0;
}
