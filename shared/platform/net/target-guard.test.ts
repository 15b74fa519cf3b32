import { describe, expect, test } from '@jest/globals';
import { isPublicAddress, parseTarget } from './target-guard.ts';

const strict = { allowHttp: false, allowPrivate: false };

describe('a target on the public internet is accepted:', () => {
  test.each([
    'https://hooks.example.com/turnout?token=1',
    'https://hooks.example.com:8443/',
    'https://hooks.example.com:443/',
    'https://hooks.example.com./',
    'https://xn--bcher-kva.example/',
    'https://93.184.215.14/',
    'https://[2606:4700::1111]/',
  ])('%s', (url) => {
    expect(parseTarget(url, strict).protocol).toBe('https:');
  });
});

describe('any other target is refused:', () => {
  test.each([
    // this machine, in every spelling
    'https://127.0.0.1/',
    'https://127.1/',
    'https://127.0.1/',
    'https://127.255.255.254/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0x7f.1/',
    'https://017700000001/',
    'https://0177.0.0.01/',
    'https://%31%32%37.0.0.1/',
    'https://１２７.0.0.1/',
    'https://①②⑦.0.0.1/',
    'https://127。0。0。1/',
    'https://0/',
    'https://0.0.0.0/',
    'https://0.1.2.3/',
    'https://[::1]/',
    'https://[::]/',
    'https://[0:0:0:0:0:0:0:1]/',
    'https://localhost/',
    'https://LOCALHOST/',
    'https://localhost./',
    'https://me.localhost/',
    // addresses that embed another address
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[::ffff:8.8.8.8]/',
    'https://[::127.0.0.1]/',
    'https://[::ffff:0:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[64:ff9b:1::a00:1]/',
    'https://[2002:7f00:1::]/',
    'https://[2001:0:7f00:1::]/',
    // the local network
    'https://10.0.0.1/',
    'https://172.16.0.1/',
    'https://172.31.255.255/',
    'https://192.168.1.1/',
    'https://100.64.0.1/',
    'https://100.127.255.255/',
    'https://[fc00::1]/',
    'https://[fd12:3456:789a::1]/',
    'https://[fe80::1]/',
    'https://[fec0::1]/',
    'https://printer/',
    'https://printer.local/',
    'https://router.home.arpa/',
    // metadata services of cloud providers
    'https://169.254.169.254/latest/meta-data/',
    'https://169.254.170.2/',
    'https://0xa9fea9fe/',
    'https://2852039166/',
    'https://[fd00:ec2::254]/',
    'https://metadata/',
    'https://metadata.google.internal/',
    'https://metadata.google.internal./',
    'https://100.100.100.200/',
    'https://192.0.0.192/',
    'https://168.63.129.16/',
    // multicast, broadcast and reserved addresses
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://240.0.0.1/',
    'https://192.0.2.1/',
    'https://198.18.0.1/',
    'https://[ff02::1]/',
    'https://[2001:db8::1]/',
    'https://[100::1]/',
    'https://[5f00::1]/',
    // other schemes, credentials, ports
    'http://hooks.example.com/',
    'ftp://hooks.example.com/',
    'file:///etc/passwd',
    'gopher://hooks.example.com/',
    'javascript:alert(1)',
    'data:text/plain,x',
    'unix:/var/run/docker.sock',
    'https://user:pass@hooks.example.com/',
    'https://user@hooks.example.com/',
    'https://hooks.example.com:22/',
    'https://hooks.example.com:25/',
    'https://hooks.example.com:1/',
    'https://hooks.example.com:0/',
    'https://hooks.example.com:65536/',
    // not a valid URL
    '',
    'hooks.example.com',
    '//hooks.example.com/',
    'https://',
    'https:// /',
    'https://[::1',
    'https://1.2.3.4.5/',
    `https://hooks.example.com/${'x'.repeat(2_048)}`,
  ])('%s', (url) => {
    expect(() => parseTarget(url, strict)).toThrow(
      expect.objectContaining({ code: 'webhook_target_refused' }),
    );
  });
});

describe('a setting allows', () => {
  test.each([
    [
      'plain http, still on the public internet',
      { allowHttp: true, allowPrivate: false },
      'http://a.example/',
    ],
    ['this machine', { allowHttp: true, allowPrivate: true }, 'http://127.0.0.1:81/'],
    ['a name of the local network', { allowHttp: false, allowPrivate: true }, 'https://hooks.internal/'],
  ])('%s', (_what, rules, url) => {
    expect(parseTarget(url, rules).href).toBe(url);
  });

  test.each([
    [
      'private targets only with ALLOW_PRIVATE, not with http alone',
      { allowHttp: true, allowPrivate: false },
      'http://127.0.0.1/',
    ],
    [
      'http only with ALLOW_HTTP, not with private targets alone',
      { allowHttp: false, allowPrivate: true },
      'http://127.0.0.1/',
    ],
    ['no credentials in any case', { allowHttp: true, allowPrivate: true }, 'http://a:b@127.0.0.1/'],
    ['no other scheme in any case', { allowHttp: true, allowPrivate: true }, 'ftp://127.0.0.1/'],
  ])('%s', (_what, rules, url) => {
    expect(() => parseTarget(url, rules)).toThrow(
      expect.objectContaining({ code: 'webhook_target_refused' }),
    );
  });
});

test.each(['', 'hooks.example.com', '1.2.3', 'fe80::1%eth0', '::ffff:1.1.1.1'])(
  'isPublicAddress is false for %p',
  (address) => expect(isPublicAddress(address)).toBe(false),
);
