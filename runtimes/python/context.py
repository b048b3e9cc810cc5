"""The context object that a handler gets, as Lambda's Python runtime makes it."""
from json import JSONDecoder
from os import environ
from time import time

from .errors import RuntimeFault

parse = JSONDecoder().decode


class Facts:
    """What is the same for all invocations."""

    def __init__(self):
        self.function_name = environ.get('AWS_LAMBDA_FUNCTION_NAME')
        self.function_version = environ.get('AWS_LAMBDA_FUNCTION_VERSION')
        self.memory_limit_in_mb = environ.get('AWS_LAMBDA_FUNCTION_MEMORY_SIZE')
        self.log_group_name = environ.get('AWS_LAMBDA_LOG_GROUP_NAME')
        self.log_stream_name = environ.get('AWS_LAMBDA_LOG_STREAM_NAME')


class LambdaContext:
    def __init__(self, facts, request_id, deadline_ms, arn, client_context, identity):
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = facts.function_name
        self.function_version = facts.function_version
        self.memory_limit_in_mb = facts.memory_limit_in_mb
        self.log_group_name = facts.log_group_name
        self.log_stream_name = facts.log_stream_name
        self.client_context = None if client_context is None else ClientContext(parsed(client_context, 'client context'))
        self.identity = NO_IDENTITY if identity is None else CognitoIdentity(parsed(identity, 'Cognito identity'))
        self.tenant_id = None
        self._epoch_deadline_time_in_ms = deadline_ms

    def get_remaining_time_in_millis(self):
        return max(0, int(self._epoch_deadline_time_in_ms - time() * 1000))

    def log(self, message):
        import sys

        sys.stdout.write(str(message))

    def __repr__(self):
        shown = ','.join('%s=%s' % (name, value) for name, value in vars(self).items() if not name.startswith('_'))
        return '%s([%s])' % (type(self).__name__, shown)


class CognitoIdentity:
    def __init__(self, values):
        self.cognito_identity_id = values.get('cognitoIdentityId')
        self.cognito_identity_pool_id = values.get('cognitoIdentityPoolId')


NO_IDENTITY = CognitoIdentity({})


class ClientContext:
    def __init__(self, values):
        client = values.get('client')
        self.client = None if client is None else Client(client)
        self.custom = values.get('custom')
        self.env = values.get('env')


class Client:
    def __init__(self, values):
        for name in ('installation_id', 'app_title', 'app_version_name', 'app_version_code', 'app_package_name'):
            setattr(self, name, values.get(name))


def parsed(text, what):
    try:
        values = parse(text)
        if isinstance(values, dict):
            return values
        reason = 'it is no object'
    except ValueError as error:
        reason = str(error)
    raise RuntimeFault('LambdaContextUnmarshalError', 'Unable to parse the %s: %s' % (what, reason))
