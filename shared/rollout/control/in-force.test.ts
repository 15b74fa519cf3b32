import { expect, test } from '@jest/globals';
import { type Instruction } from '../../contracts/control.ts';
import { decide } from '../../contracts/flags/decide.ts';
import { type Flags, readFlags } from '../../platform/config/flags.ts';
import { applyCommand, initialState } from './apply-command.ts';
import { inForce } from './in-force.ts';

const read = (texts: Record<string, string>) => readFlags(texts) as Flags;

function after(...instructions: Instruction[]) {
  return instructions.reduce((state, instruction) => {
    const applied = applyCommand(state, { actor: 'operator', instruction }, 1);
    if ('refused' in applied) throw new Error(applied.refused);
    return applied.state;
  }, initialState());
}

const EVERYONE = after({ type: 'set', flags: { MIGRATION_PHASE: '3' } });

test('before the first state, the environment decides, at epoch 0', () => {
  const own = read({ MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '15' });
  expect(inForce(undefined, own)).toEqual({ flags: own, rolledBack: false, epoch: 0, step: 0 });
  expect(inForce(initialState(), own).flags).toBe(own);
});

test('the state wins over the environment', () => {
  expect(decide('ada', inForce(EVERYONE, read({}))).path).toBe('litellm');
});

test('except for settings that move users to the legacy backend', () => {
  expect(decide('ada', inForce(EVERYONE, read({ ENABLE_LITELLM: 'false' })))).toMatchObject({
    path: 'legacy',
    reason: 'disabled',
    epoch: 1,
  });
  expect(decide('ada', inForce(EVERYONE, read({ BYPASS_USER: 'ada' }))).reason).toBe('bypass');
});

test('after a rollback only forced users are on LiteLLM', () => {
  const rules = inForce(
    after(
      { type: 'set', flags: { MIGRATION_PHASE: '3', FORCE_LITELLM_USER: 'bob' } },
      { type: 'rollback', why: 'errors' },
    ),
    read({}),
  );
  expect([decide('ada', rules).reason, decide('bob', rules).path]).toEqual(['rollback', 'litellm']);
});
