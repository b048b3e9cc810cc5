import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthError } from '../kernel/mod.ts';
import { inRanges, parseWeb } from './web.ts';

test('without its variable a function is no web server, whatever else is set', () => {
  assert.equal(parseWeb({}), undefined);
  assert.equal(parseWeb({ PORT: '8080', AWS_LWA_PORT: '8080', AWS_LWA_INVOKE_MODE: 'nonsense' }), undefined);
});

test('all but the port has a default', () => {
  assert.deepEqual(parseWeb({ HEARTH_WEB_PORT: '80' }), {
    port: 80,
    readiness: { port: 80, path: '/', protocol: 'http', statuses: [[100, 499]] },
    streams: false,
    asyncInit: false,
    passThroughPath: '/events',
    basePath: '',
    errorStatuses: [],
  });
});

test('each setting is read', () => {
  const environment = {
    HEARTH_WEB_PORT: '3000',
    AWS_LWA_READINESS_CHECK_PORT: '3001',
    AWS_LWA_READINESS_CHECK_PATH: '/health?deep=1',
    AWS_LWA_READINESS_CHECK_PROTOCOL: 'TCP',
    AWS_LWA_READINESS_CHECK_HEALTHY_STATUS: '200, 300-399',
    AWS_LWA_INVOKE_MODE: 'RESPONSE_STREAM',
    AWS_LWA_ASYNC_INIT: 'true',
    AWS_LWA_PASS_THROUGH_PATH: '/hooks',
    AWS_LWA_REMOVE_BASE_PATH: '/v1/',
    AWS_LWA_ERROR_STATUS_CODES: '500-599',
  };
  assert.deepEqual(parseWeb(environment), {
    port: 3000,
    readiness: {
      port: 3001,
      path: '/health?deep=1',
      protocol: 'tcp',
      statuses: [
        [200, 200],
        [300, 399],
      ],
    },
    streams: true,
    asyncInit: true,
    passThroughPath: '/hooks',
    basePath: '/v1',
    errorStatuses: [[500, 599]],
  });
});

const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ['HEARTH_WEB_PORT', '', /is no port/],
  ['HEARTH_WEB_PORT', '0', /is no port/],
  ['HEARTH_WEB_PORT', '65536', /is no port/],
  ['HEARTH_WEB_PORT', '80x', /is no port/],
  ['HEARTH_WEB_PORT', '9001', /is a port of the platform/],
  ['AWS_LWA_READINESS_CHECK_PORT', '4566', /is a port of the platform/],
  ['AWS_LWA_READINESS_CHECK_PATH', 'health', /is no path/],
  ['AWS_LWA_READINESS_CHECK_PATH', '/a b\r\nx: y', /is no path/],
  ['AWS_LWA_READINESS_CHECK_PROTOCOL', 'udp', /is none of http, tcp/],
  ['AWS_LWA_READINESS_CHECK_HEALTHY_STATUS', '200-', /is no list of statuses/],
  ['AWS_LWA_ERROR_STATUS_CODES', '600', /is no list of statuses/],
  ['AWS_LWA_INVOKE_MODE', 'stream', /is none of buffered, response_stream/],
  ['AWS_LWA_ASYNC_INIT', '1', /is none of false, true/],
];
for (const [name, value, message] of WRONG)
  test(`${name}=${JSON.stringify(value)} is refused`, () => {
    assert.throws(
      () => parseWeb({ HEARTH_WEB_PORT: '8080', [name]: value }),
      (error) => error instanceof HearthError && error.code === 'InvalidParameterValueException' && message.test(error.message),
    );
  });

test('both ends of a range belong to it', () => {
  assert.deepEqual(
    [199, 200, 299, 300].map((status) => inRanges([[200, 299]], status)),
    [false, true, true, false],
  );
});
