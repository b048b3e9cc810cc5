#include <stddef.h>

/* Answers an event: writes JSON to `answer`, which has `room` bytes, and returns how many there are. The event is JSON of `bytes` bytes. */
size_t handle(const char *event, size_t bytes, char *answer, size_t room);
