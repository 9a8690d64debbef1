/* A bare HTTP/1.1 client for tests: one request a connection, nothing hidden. */
#ifndef GB_TEST_CLIENT_H
#define GB_TEST_CLIENT_H

#include "base/base.h"

typedef struct reply {
    int status; /* 0: the server closed without an answer */
    char head[4096];
    uint8_t *body; /* NUL follows */
    size_t size;
} reply;

/* Sends bytes as they are and reads until the server closes. */
void client_raw(reply *out, uint16_t port, const void *bytes, size_t n);
/* headers: "" or lines that each end in \r\n. Adds Host, Connection: close and Content-Length (unless n is SIZE_MAX).
 */
void client_request(reply *out, uint16_t port, const char *method, const char *path, const char *headers,
                    const void *body, size_t n);
void reply_release(reply *r);
/* Value of a header of the reply, in a static buffer; NULL when absent. */
const char *reply_header(const reply *r, const char *name);
int client_connect(uint16_t port); /* -1 when nobody listens */

#endif
