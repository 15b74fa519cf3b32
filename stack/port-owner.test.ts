import { describe, expect, test } from '@jest/globals';
import { listeningInodes, parseLsof } from './port-owner.ts';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 100 0 0 10 0
   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000 100 0 0 10 0
`;

describe('who has a port', () => {
  test('only sockets that listen on that port count, not connections to it', () => {
    expect(listeningInodes(TABLE, 8080)).toEqual(['4711']);
    expect(listeningInodes(TABLE, 9090)).toEqual([]);
  });

  test('lsof names process and pid', () => {
    expect(parseLsof('p123\ncnode\nf20\n')).toBe('node (pid 123)');
    expect(parseLsof('')).toBeUndefined();
  });
});
