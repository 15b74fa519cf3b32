/** A question of the suite's clients. Each answer is known, because the simulator's answers are a function of the messages. */
export interface SuiteQuestion {
  body: Record<string, unknown>;
  /** The expected answer is the provider's to the same messages. False for documents, whose prompt the context worker writes. */
  direct: boolean;
}

const TOPICS = [
  'Where does the line from the harbour end?',
  'What is a turnout?',
  'Who sets the signal at night?',
  'Why is the morning train late?',
  'What does the guard do when the brakes fail?',
  'How long is the tunnel under the hill?',
];

const KNOBS = [
  'tokens=30; tps=15',
  'tokens=40; tps=20',
  'tokens=20; tps=10',
  'tokens=12; tps=0',
  'tokens=30; tps=15; ttft=400',
  'tokens=30; tps=15; continue=same',
  'tokens=20; tps=15; fail=500; failTimes=1',
  'tokens=20; tps=15; cut=9; failTimes=1',
];

export function suiteQuestions(): SuiteQuestion[] {
  const plain = TOPICS.flatMap((topic) => KNOBS.map((knobs) => plainQuestion(topic, knobs)));
  return [
    ...plain,
    ...TOPICS.map(jsonQuestion),
    ...TOPICS.map(documentQuestion),
    ...TOPICS.map(prefillQuestion),
  ];
}

function plainQuestion(topic: string, knobs: string, model = 'turnout-sim'): SuiteQuestion {
  return {
    body: { model, messages: [{ role: 'user', content: `${topic} [[sim: ${knobs}]]` }] },
    direct: true,
  };
}

const prefillQuestion = (topic: string) => plainQuestion(topic, 'tokens=30; tps=15', 'turnout-sim-prefill');

function jsonQuestion(topic: string): SuiteQuestion {
  const { body } = plainQuestion(topic, 'tps=25');
  return { body: { ...body, response_format: { type: 'json_object' } }, direct: true };
}

function documentQuestion(topic: string, number: number): SuiteQuestion {
  const text = `Notes of station ${number}. The line from the harbour ends at platform ${number + 3}. The guard of train ${number} is called Ada.`;
  const file = {
    filename: `notes-${number}.txt`,
    file_data: `data:text/plain;base64,${Buffer.from(text).toString('base64')}`,
  };
  const content = [
    { type: 'file', file },
    { type: 'text', text: `${topic} [[sim: tokens=20; tps=15]]` },
  ];
  return { body: { model: 'turnout-sim', messages: [{ role: 'user', content }] }, direct: false };
}
