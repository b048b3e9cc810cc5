import logging

from greet import greeting

logging.getLogger().setLevel(logging.INFO)


def handler(event, context):
    query = event.get('queryStringParameters', {})
    name = event.get('name') or query.get('name', 'world')
    logging.info('greeting %s', name)
    return {'message': greeting(name), 'function': context.function_name, 'requestId': context.aws_request_id}
