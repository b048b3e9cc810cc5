/* A runtime in C, without any library: asks the Lambda Runtime API for events, and posts what `handle` answers. */
#include "handler.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* An event, or an answer, of 6 MiB and what belongs to it. */
#define ROOM (8 * 1024 * 1024)

static char buffer[ROOM];

static int fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_connection(const char *address) {
  char host[64];
  int port;
  if (sscanf(address, "%63[^:]:%d", host, &port) != 2) fail("AWS_LAMBDA_RUNTIME_API");
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, host, &to.sin_addr) != 1) fail("inet_pton");
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void send_all(int fd, const char *bytes, size_t length) {
  for (size_t sent = 0; sent < length;) {
    ssize_t count = write(fd, bytes + sent, length - sent);
    if (count <= 0) fail("write");
    sent += count;
  }
}

/* The value of a header in a response's head; NULL where it has none. */
static const char *header(const char *head, const char *name) {
  for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
    size_t length = strlen(name);
    if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') return line + 2 + length + 1 + strspn(line + 3 + length, " ");
  }
  return NULL;
}

/* Reads one response; `*body` and the result say where its body is, and how long. The head is a string. */
static size_t receive(int fd, char **body) {
  size_t got = 0;
  char *end = NULL;
  while (!end) {
    ssize_t count = read(fd, buffer + got, ROOM - got - 1);
    if (count <= 0) fail("read");
    got += count;
    buffer[got] = 0;
    end = strstr(buffer, "\r\n\r\n");
  }
  end[2] = 0;
  *body = end + 4;
  const char *length = header(buffer, "content-length");
  size_t wanted = length ? strtoul(length, NULL, 10) : 0;
  while (got < (size_t)(*body - buffer) + wanted) {
    ssize_t count = read(fd, buffer + got, ROOM - got - 1);
    if (count <= 0) fail("read");
    got += count;
  }
  return wanted;
}

int main(void) {
  const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
  if (!address) fail("AWS_LAMBDA_RUNTIME_API");
  int fd = open_connection(address);
  static char answer[ROOM];
  for (;;) {
    char request[512];
    int length = snprintf(request, sizeof request, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", address);
    send_all(fd, request, length);
    char *event;
    size_t bytes = receive(fd, &event);
    const char *id = header(buffer, "lambda-runtime-aws-request-id");
    if (!id) fail("no request id");
    size_t answered = handle(event, bytes, answer, sizeof answer);
    length = snprintf(request, sizeof request,
                      "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n",
                      (int)strcspn(id, "\r"), id, address, answered);
    send_all(fd, request, length);
    send_all(fd, answer, answered);
    receive(fd, &event);
  }
}
