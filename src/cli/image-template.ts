/** The template of a container image: a web server in C, and a script that makes the image of it without container tools. */
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const SERVER = `// A web server that answers every request with a greeting. It knows nothing of functions: cc server.c -o server && PORT=8000 ./server
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(int connection) {
  char request[65536];
  size_t length = 0;
  while (length < sizeof request - 1) {
    ssize_t count = read(connection, request + length, sizeof request - 1 - length);
    if (count <= 0) return;
    length += (size_t)count;
    request[length] = 0;
    if (strstr(request, "\\r\\n\\r\\n")) break;
  }
  // "GET /Ada HTTP/1.1" greets Ada.
  char name[64] = "world";
  sscanf(request, "%*s /%63[A-Za-z0-9_-]", name);
  char body[128];
  int bytes = snprintf(body, sizeof body, "Hello, %s!\\n", name);
  // Before the answer: a server that waits for its next request stands still.
  printf("greeted %s\\n", name);
  dprintf(connection, "HTTP/1.1 200 OK\\r\\ncontent-type: text/plain\\r\\ncontent-length: %d\\r\\nconnection: close\\r\\n\\r\\n%s", bytes, body);
}

int main(void) {
  const char *port = getenv("PORT");
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 8080), .sin_addr.s_addr = htonl(INADDR_ANY) };
  int yes = 1;
  int server = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 64) != 0) {
    perror("server");
    return 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (;;) {
    int connection = accept(server, NULL, NULL);
    if (connection < 0) continue;
    answer(connection);
    close(connection);
  }
}
`;

const BUILD = `#!/bin/sh
# Makes image.tar, as "docker save" writes it, of one static program. It takes a C compiler, GNU tar and sha256sum; with docker, podman or buildah
# there are easier ways. The same sources make the same bytes, so that deploying twice sends nothing the second time.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $(uname -m) in
  x86_64) architecture=amd64 ;;
  aarch64) architecture=arm64 ;;
  *) echo "functions run on x86_64 and aarch64" >&2; exit 1 ;;
esac
archive() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf "$2" .; }

mkdir -m 755 "$work/root" "$work/image"
cc -static -O2 -o "$work/root/server" server.c
chmod 755 "$work/root/server"
archive "$work/root" "$work/image/layer.tar"
layer=$(sha256sum "$work/image/layer.tar" | cut -d ' ' -f 1)

cat > "$work/image/config.json" <<END
{ "architecture": "$architecture", "os": "linux",
  "config": { "Entrypoint": ["/server"], "Env": ["PATH=/"], "WorkingDir": "/" },
  "rootfs": { "type": "layers", "diff_ids": ["sha256:$layer"] } }
END
cat > "$work/image/manifest.json" <<END
[{ "Config": "config.json", "RepoTags": ["NAME:latest"], "Layers": ["layer.tar"] }]
END
chmod 644 "$work/image"/*
archive "$work/image" image.tar
`;

export const imageFiles = (name: string): Readonly<Record<string, string>> => ({
  'hearth.json': json({ name, image: 'image.tar', build: './build.sh', web: 8080, memory: 128, timeout: 3 }),
  'server.c': SERVER,
  // Repositories are in small letters.
  'build.sh': BUILD.replace(
    'NAME',
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '') || 'image',
  ),
  '.gitignore': 'image.tar\n',
});
