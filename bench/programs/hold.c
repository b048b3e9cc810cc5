/* A function for the bench: holds its instance for as long as it is told, and says how many invocations that instance has served. */
#include "../../examples/custom-runtime-c/handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

size_t handle(const char *event, size_t bytes, char *answer, size_t room) {
  static unsigned long served;
  char text[64] = "";
  memcpy(text, event, bytes < sizeof text ? bytes : sizeof text - 1);
  const char *hold = strstr(text, "\"holdMs\":");
  if (hold) usleep(strtoul(hold + 9, NULL, 10) * 1000);
  return snprintf(answer, room, "{\"served\":%lu}", ++served);
}
