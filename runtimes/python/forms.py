"""
Invocations whose events are forms that are filled in (src/protocol/event-form.ts says what a form is). A form is parsed once; each event is a
copy of it, with its own texts in the blanks.
"""
from binascii import b2a_base64
from json import JSONDecoder
from struct import Struct

from .channel import HEAD_BYTES

parse = JSONDecoder().decode
unpack = Struct('<III').unpack_from
FORM_AT = HEAD_BYTES + 12
HEAD_TEXTS = 4
# Forms come and go with the clients; those that still do are known again with the next event.
MOST_KNOWN = 128


class Forms:
    def __init__(self):
        self._known = {}

    def read(self, frame):
        """(request id, deadline, ARN, trace or '', event)"""
        form_id, form_bytes, text_bytes = unpack(frame, HEAD_BYTES)
        text_at = FORM_AT + form_bytes
        body_at = text_at + text_bytes
        form = self._known.get(form_id)
        if form is None:
            form = self._learn(form_id, frame[FORM_AT:text_at])
        texts = frame[text_at:body_at].decode('latin-1').split('\n')
        parts, blanks, body = form
        copies = []
        for source, into, key in parts:
            copy = source.copy()
            copies.append(copy)
            if into >= 0:
                copies[into][key] = copy
        at = HEAD_TEXTS
        for part, key, read in blanks:
            text = texts[at]
            at += 1
            copies[part][key] = text if read is None else read(text)
        event = copies[0]
        if body == 'text':
            event['body'] = frame[body_at:].decode()
        elif body == 'base64':
            event['body'] = b2a_base64(frame[body_at:], newline=False).decode('ascii')
        return texts[0], float(texts[1]), texts[2], texts[3], event

    def _learn(self, form_id, text):
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        described = parse(text.decode())
        parts = []
        add_parts(parts, described['event'], -1, '')
        blanks = [blank(parts, path, kind) for path, kind in described['blanks']]
        form = self._known[form_id] = (parts, blanks, described['body'])
        return form


def add_parts(parts, source, into, key):
    index = len(parts)
    parts.append((source, into, key))
    for name, value in source.items() if isinstance(source, dict) else enumerate(source):
        if isinstance(value, (dict, list)):
            add_parts(parts, value, index, name)


READERS = {'text': None, 'number': int, 'json': parse}


def blank(parts, path, kind):
    source = parts[0][0]
    for key in path[:-1]:
        source = source[key]
    index = next(i for i, part in enumerate(parts) if part[0] is source)
    return index, path[-1], READERS[kind]
