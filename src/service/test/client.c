#include "service/test/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int client_connect(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 30};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

/* Undoes chunked transfer coding in place. */
static void unchunk(reply *r) {
    size_t from = 0, to = 0;
    while (from < r->size) {
        char *end;
        size_t n = strtoul((char *)r->body + from, &end, 16);
        from = (size_t)((uint8_t *)end - r->body) + 2;
        if (n == 0 || from + n > r->size) break;
        memmove(r->body + to, r->body + from, n);
        to += n;
        from += n + 2;
    }
    r->size = to;
    r->body[to] = 0;
}

static void parse(reply *r, gb_buffer *all) {
    gb_write_u8(all, 0);
    if (all->status != GB_OK || all->size < 16) return;
    char *text = (char *)all->data;
    char *split = strstr(text, "\r\n\r\n");
    if (strncmp(text, "HTTP/1.1 ", 9) != 0 || split == NULL) return;
    /* An interim answer (100 Continue) comes before the real one. */
    if (strncmp(text + 9, "100", 3) == 0) {
        text = split + 4;
        split = strstr(text, "\r\n\r\n");
        if (split == NULL) return;
    }
    r->status = (int)strtol(text + 9, NULL, 10);
    size_t n = gb_min_size((size_t)(split - text) + 2, sizeof r->head - 1);
    memcpy(r->head, text, n);
    r->head[n] = '\0';
    r->size = all->size - 1 - (size_t)(split + 4 - (char *)all->data);
    if (gb_alloc(&r->body, NULL, r->size + 1, 1) != GB_OK) return;
    memcpy(r->body, split + 4, r->size + 1);
    const char *coding = reply_header(r, "Transfer-Encoding");
    if (coding != NULL && strcasecmp(coding, "chunked") == 0) unchunk(r);
}

static bool send_all(int fd, const uint8_t *at, size_t n) {
    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0) return false; /* the server has answered and closed: its answer is read below */
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void receive(reply *out, int fd) {
    gb_buffer all = GB_BUFFER_INIT;
    uint8_t block[65536];
    ssize_t got;
    while ((got = recv(fd, block, sizeof block, 0)) > 0) gb_write_bytes(&all, block, (size_t)got);
    parse(out, &all);
    gb_buffer_release(&all);
}

void client_raw(reply *out, uint16_t port, const void *bytes, size_t n) {
    memset(out, 0, sizeof *out);
    int fd = client_connect(port);
    if (fd < 0) return;
    (void)send_all(fd, bytes, n);
    receive(out, fd);
    close(fd);
}

void client_request(reply *out, uint16_t port, const char *method, const char *path, const char *headers,
                    const void *body, size_t n) {
    char length[64] = "", *head;
    memset(out, 0, sizeof *out);
    if (n != SIZE_MAX && (n > 0 || strcmp(method, "GET") != 0))
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", n);
    head = gb_format(NULL, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s\r\n", method, path, headers,
                     length);
    int fd = client_connect(port);
    if (fd >= 0 && head != NULL && send_all(fd, (const uint8_t *)head, strlen(head)) && n != SIZE_MAX)
        (void)send_all(fd, body, n);
    if (fd >= 0) {
        receive(out, fd);
        close(fd);
    }
    gb_free(head);
}

void reply_release(reply *r) {
    gb_free(r->body);
    memset(r, 0, sizeof *r);
}

const char *reply_header(const reply *r, const char *name) {
    static char value[256];
    size_t n = strlen(name);
    for (const char *line = strstr(r->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) != 0 || line[n] != ':') continue;
        const char *from = line + n + 1 + strspn(line + n + 1, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(from, "\r"), from);
        return value;
    }
    return NULL;
}
