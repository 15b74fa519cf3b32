import { describe, expect, test } from '@jest/globals';
import { groupInStat, listeningInodes, parseLsof } from './port-owner.ts';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 100 0 0 10 0
   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000 100 0 0 10 0
`;

describe('the owner of a port', () => {
  test('is found by sockets that listen on the port, not by connections to it', () => {
    expect(listeningInodes(TABLE, 8080)).toEqual(['4711']);
    expect(listeningInodes(TABLE, 9090)).toEqual([]);
  });

  test('is read from the output of lsof with its pid and its process group', () => {
    expect(parseLsof('p123\ng120\ncnode\nf20\np4567\ng4567\ncjava\nf9\n')).toEqual([
      { pid: 123, group: 120, name: 'node' },
      { pid: 4567, group: 4567, name: 'java' },
    ]);
    expect(parseLsof('')).toEqual([]);
  });

  test('has its process group read even if its name contains spaces and brackets', () => {
    expect(groupInStat('4711 (a (b) c) S 1 4700 4700 0 -1')).toBe(4700);
  });
});
