/* A WASI command: the event is its standard input, its standard output is the answer. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static int words(const char *text, size_t length) {
  int count = 0;
  int inside = 0;
  for (size_t i = 0; i < length; i++) {
    int letter = isalnum((unsigned char)text[i]) != 0;
    count += letter && !inside;
    inside = letter;
  }
  return count;
}

int main(void) {
  static char event[1 << 16];
  size_t length = fread(event, 1, sizeof event, stdin);
  if (!feof(stdin)) {
    fprintf(stderr, "the event is larger than %zu bytes\n", sizeof event);
    return 1;
  }
  const char *greeting = getenv("GREETING");
  printf("{\"greeting\":\"%s\",\"bytes\":%zu,\"words\":%d}\n", greeting ? greeting : "", length, words(event, length));
  return 0;
}
