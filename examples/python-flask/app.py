from flask import Flask, abort, jsonify, make_response, request

app = Flask(__name__)
notes = []


@app.get('/')
def home():
    return f'<h1>Notes</h1><p>There are {len(notes)}.</p>'


@app.get('/notes')
def find():
    wanted = request.args.get('contains', '')
    return jsonify([note for note in notes if wanted in note['text']])


@app.post('/notes')
def add():
    text = (request.get_json(silent=True) or {}).get('text')
    if not text:
        abort(400)
    note = {'id': len(notes) + 1, 'text': text}
    notes.append(note)
    answer = make_response(jsonify(note), 201)
    answer.headers['Location'] = f'/notes/{note["id"]}'
    answer.set_cookie('last', str(note['id']), httponly=True)
    return answer


if __name__ == '__main__':
    app.run(port=8000)
