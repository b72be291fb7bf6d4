import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRefusal } from '../../src/base/index.ts';
import { formatChallenge, readCredentials, resourceMetadataUrl } from '../../src/identity/index.ts';

describe('readCredentials', () => {
  it('takes the token, whatever the case of the scheme', () => {
    for (const written of ['Bearer', 'bearer', 'BEARER', 'bEaReR', 'DPoP', 'dpop', 'DPOP']) {
      const scheme = written.toLowerCase();
      assert.deepEqual(readCredentials(`${written} abc.def-_~+/==`, ''), { scheme, token: 'abc.def-_~+/==' });
    }
  });

  for (const header of [
    '',
    'Bearer',
    'Bearer ',
    'Bearer  abc',
    ' Bearer abc',
    'Bearer abc ',
    'Bearer abc def',
    'Bearer abc,def',
    'Bearer\tabc',
    'Basic abc',
    'DPoP',
    'DPoP abc, Bearer abc',
    'Bearer DPoP abc',
    'Bearer, DPoP abc',
    'BearerDPoP abc',
    'Token abc',
    'abc',
    'Bearer abc, Bearer def',
    'Bearer ä',
    'Bearer "abc"',
    `Bearer ${'a'.repeat(9000)}`,
  ]) {
    it(`refuses ${JSON.stringify(header.slice(0, 30))}`, () => {
      const result = readCredentials(header, '');
      assert.ok(isRefusal(result) && result.code === 'token_malformed');
    });
  }

  it('takes no token from the URL, even beside a good one', () => {
    for (const search of [
      '?access_token=abc',
      '?a=1&access_token=abc',
      '?access%5Ftoken=abc',
      '?access_token',
    ]) {
      const result = readCredentials('Bearer abc', search);
      assert.ok(isRefusal(result) && result.code === 'token_malformed');
    }
  });

  it('says that there is none', () => {
    const result = readCredentials(undefined, '');
    assert.ok(isRefusal(result) && result.code === 'token_missing');
  });
});

describe('formatChallenge', () => {
  it('cannot be broken out of', () => {
    const text = formatChallenge({
      resourceMetadata: 'https://h/.well-known/x"\r\nSet-Cookie: a',
      scopes: ['a"b', 'c\\d'],
      error: 'invalid_token',
      description: 'x"y',
    });
    assert.doesNotMatch(text, /[\r\n\\]/);
    assert.equal(text.split('"').length - 1, 8);
  });
});

describe('resourceMetadataUrl', () => {
  it('goes between host and path', () => {
    assert.equal(
      resourceMetadataUrl('https://h:8/a/mcp'),
      'https://h:8/.well-known/oauth-protected-resource/a/mcp',
    );
    assert.equal(resourceMetadataUrl('https://h'), 'https://h/.well-known/oauth-protected-resource');
  });
});
