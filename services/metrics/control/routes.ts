import { type AdminCheck } from '../../../shared/policy/admin/admin-check.ts';
import { adminRoute } from '../../../shared/policy/admin/admin-route.ts';
import { instruction } from '../../../shared/contracts/control.ts';
import { type Confirmation } from '../../../shared/rollout/control/confirm-command.ts';
import { newCommand } from '../../../shared/rollout/control/send-command.ts';
import { type ControlCommand } from '../../../shared/contracts/control.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type AuditEntry } from '../../../shared/rollout/control/read-audit.ts';
import { type RolloutStatus } from '../../../shared/rollout/control/read-status.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Route } from '../../../shared/platform/telemetry/probes.ts';

interface ControlRoutesDeps {
  status: () => Promise<RolloutStatus>;
  audit: () => Promise<AuditEntry[]>;
  command: (command: ControlCommand) => Promise<Confirmation>;
  admin: AdminCheck;
  log: Logger;
}

/** How many of the last commands `/admin/audit` returns. */
const LAST = 500;

/**
 * `GET /admin/rollout`, `GET /admin/audit`, and `POST /admin/control` with an instruction (`{"type":"rollback","why":"..."}`). The POST
 * answers when all processes have applied the instruction, with 409 if it was refused, and with 503 if no leader decided it.
 */
export function controlRoutes({ status, audit, command, admin, log }: ControlRoutesDeps) {
  return {
    '/admin/rollout': adminRoute({ method: 'GET', admin, log, handle: () => reaching(status()) }),
    '/admin/audit': adminRoute({
      method: 'GET',
      admin,
      log,
      handle: async () => ({ commands: (await reaching(audit())).slice(-LAST) }),
    }),
    '/admin/control': adminRoute({
      method: 'POST',
      admin,
      log,
      body: instruction,
      handle: async (given, { user: by }) => {
        const confirmed = await reaching(command(newCommand({ actor: 'operator', by }, given)));
        if (confirmed.status === 'applied') return confirmed;
        if (confirmed.status === 'undecided') throw new TurnoutError('no_leader', { retryAfterS: 10 });
        throw new TurnoutError('command_refused', { message: `The command was refused: ${confirmed.note}.` });
      },
    }),
  } satisfies Record<string, Route>;
}

async function reaching<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new TurnoutError('store_unavailable', {
      message: 'Kafka or the job Redis cannot be reached. Try again.',
      cause: error,
      retryAfterS: 1,
    });
  }
}
