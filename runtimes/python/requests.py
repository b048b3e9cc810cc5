"""What both interfaces for applications need: the event of a function URL (payload format 2.0) taken apart, and an answer put together."""
from binascii import a2b_base64, b2a_base64

from .errors import RuntimeFault


class Request:
    def __init__(self, event):
        try:
            http = event['requestContext']['http']
            self.method = http['method']
            self.raw_path = event['rawPath']
            self.query = event.get('rawQueryString', '')
            self.source_ip = http.get('sourceIp', '')
            self.protocol = http.get('protocol', 'HTTP/1.1')
            self.headers = list(event['headers'].items())
        except (KeyError, TypeError, AttributeError):
            raise RuntimeFault(
                'NotAnHttpEvent', 'This function is a web application: it answers requests at its function URL, and this event is none of them.'
            ) from None
        cookies = event.get('cookies')
        if cookies and not any(name == 'cookie' for name, _ in self.headers):
            self.headers.append(('cookie', '; '.join(cookies)))
        body = event.get('body')
        if not body:
            self.body = b''
        elif event.get('isBase64Encoded'):
            self.body = a2b_base64(body)
        else:
            self.body = body.encode()
        known = dict(self.headers)
        self.scheme = known.get('x-forwarded-proto', 'http')
        self.host, self.port = split_host(known.get('host', ''), known.get('x-forwarded-port'), self.scheme)
        if self.body and 'content-length' not in known:
            self.headers.append(('content-length', str(len(self.body))))


def split_host(host, port, scheme):
    name, colon, given = host.rpartition(':')
    if colon and given.isdigit():
        host, port = name, given
    if port is None or not str(port).isdigit():
        port = 443 if scheme == 'https' else 80
    return host or 'localhost', int(port)


def answer(status, headers, body):
    """The body goes out byte for byte, whatever it is."""
    fields, cookies = fields_of(headers)
    answered = {'statusCode': status, 'headers': fields}
    if cookies:
        answered['cookies'] = cookies
    try:
        answered['body'] = body.decode()
        answered['isBase64Encoded'] = False
    except UnicodeDecodeError:
        answered['body'] = b2a_base64(body, newline=False).decode('ascii')
        answered['isBase64Encoded'] = True
    return answered


def fields_of(headers):
    """`headers`: pairs of names and values, names as often as they come."""
    fields = {}
    cookies = []
    for name, value in headers:
        name = name.lower()
        value = value.strip()
        if name == 'set-cookie':
            cookies.append(value)
        elif name in fields:
            fields[name] = '%s, %s' % (fields[name], value)
        else:
            fields[name] = value
    return fields, cookies


def has_length(headers):
    """Then it is sent whole: nobody waits for a part of it."""
    return any(name.lower() == 'content-length' for name, _ in headers)
