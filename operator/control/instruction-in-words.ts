import { type Instruction } from '../../shared/contracts/control.ts';
import { oneLine } from '../terminal-safe.ts';
import { durationInWords } from './duration.ts';

export function instructionInWords(given: Instruction): string {
  switch (given.type) {
    case 'set':
      return oneLine(
        `set ${Object.entries(given.flags)
          .map(([name, text]) => `${name}=${text}`)
          .join(' ')}`,
      );
    case 'rollback':
    case 'freeze':
      return oneLine(`${given.type}: ${given.why}`);
    case 'resume':
      return given.percentage === undefined ? 'resume' : `resume at ${given.percentage}%`;
    case 'bypass':
    case 'force':
    case 'release':
    case 'clear_cache':
      return oneLine(`${given.type} ${given.user}`);
    case 'start':
      return `start ${given.steps.join(',')}, each for ${durationInWords(given.dwellMs)}`;
    case 'thaw':
    case 'stop':
    case 'advance':
      return given.type;
  }
}
