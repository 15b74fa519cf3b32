/** What Turnout needs of Kafka, and no more: the one adapter (`kafkajs.ts`) can be replaced behind it. */
export interface OutboundMessage {
  topic: string;
  key: string;
  value: string;
  headers: Record<string, string>;
}

export interface InboundMessage {
  topic: string;
  partition: number;
  offset: bigint;
  /** Milliseconds since the epoch. */
  timestamp: number;
  key: string | undefined;
  value: string | undefined;
  headers: Record<string, string>;
}

export interface SendOptions {
  /** Milliseconds since the epoch: how long the caller waits. Default: 8 s from now. */
  deadlineAt?: number;
  /** Fires when the caller waits no longer. */
  signal?: AbortSignal;
}

export interface Producer {
  /**
   * Resolves when all in-sync replicas have the message. While Kafka is away it is sent again, until its deadline. Rejects with
   * a `SendError`, which says whether Kafka may have it. A message that its caller has given up is not sent any more.
   */
  send(message: OutboundMessage, options?: SendOptions): Promise<void>;
  /** Whether Kafka takes messages, as far as is known; it is found out without any, too. */
  connected(): boolean;
  close(): Promise<void>;
}

export interface KafkaProducer extends Producer {
  /**
   * For a process that stood still: where nothing was acknowledged for a minute, connects anew, since firewalls forget silent
   * connections. Rejects when Kafka does not answer.
   */
  refresh(): Promise<void>;
}

export interface Batch {
  topic: string;
  partition: number;
  messages: InboundMessage[];
}

/** Where does this partition begin? */
export interface PositionQuestion {
  topic: string;
  partition: number;
  /** What Kafka knows of it. */
  offsets: PartitionOffsets;
  /** Fires when nobody waits for the answer any more: it is asked anew, or the partition is another member's. */
  signal: AbortSignal;
}

export interface PartitionOffsets {
  /** The group's committed offset; undefined when it never committed one. */
  committed(): Promise<bigint | undefined>;
  /** The first offset whose message came at that time or later (ms since the epoch); the partition's end when none did. */
  at(timestamp: number): Promise<bigint>;
  /** The offset that the next message will have. */
  end(): Promise<bigint>;
}

export interface ConsumerOptions {
  groupId: string;
  topic: string;
  /** Partitions worked on at the same time. Within one partition batches come one after another. */
  partitionsAtOnce?: number;
  /**
   * Bytes of one partition that are fetched at once, or a single message that is larger: for as long as they take, all partitions of
   * the same broker wait. Default: 1 MiB.
   */
  bytesAtOnce?: number;
  /** The group is this consumer's own: nothing is committed, and it is removed with it. */
  temporary?: boolean;
  /**
   * Where to begin, asked at each assignment: the next offset to read, or undefined for the group's committed one. Until
   * it resolves nothing of the partition is handed to `onBatch`; when it rejects, it is asked again.
   */
  position?(question: PositionQuestion): Promise<bigint | undefined>;
  /** When it resolves, the batch is done and its offsets are committed (later, as a hint). When it rejects, it comes again. */
  onBatch(batch: Batch, signal: AbortSignal): Promise<void>;
}

export interface Consumer {
  start(): Promise<void>;
  /** True while the consumer is a member of its group. */
  joined(): boolean;
  /** Asks for the position of every assigned partition again, and goes on from there. A batch in flight may come again. */
  reposition(): void;
  /** Finishes the batches in flight, then leaves the group. */
  close(): Promise<void>;
}

export interface ReadTopicOptions {
  topic: string;
  /** How long Kafka may send nothing, in milliseconds: an end for a reader whose broker is away. */
  timeoutMs: number;
  /** One at a time; in order within a partition. Its failure ends the reading. */
  onBatch: (batch: Batch) => Promise<void>;
}

export interface FollowTopicOptions {
  /** Of one partition. */
  topic: string;
  /**
   * One at a time, in order, each once. While it rejects, the message comes again. A topic that was deleted and made again is handed over
   * from its beginning.
   */
  onMessage: (message: InboundMessage) => Promise<void>;
}

export interface TopicFollower {
  /** Resolves when everything was handed over that the topic had at the call. */
  caughtUp: Promise<void>;
  /** True while it is connected, as far as it knows. */
  joined(): boolean;
  close(): Promise<void>;
}

export interface TopicSpec {
  topic: string;
  partitions: number;
  /** Copies of each partition, on as many brokers; undefined: the broker's default. */
  replication?: number | undefined;
  config?: Record<string, string>;
}

export interface Kafka {
  /**
   * Creates the topics that are missing, and warns of those that are set otherwise than is needed. Retries while a cold cluster has no
   * controller yet.
   */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;
  producer(): Promise<KafkaProducer>;
  consumer(options: ConsumerOptions): Consumer;
  /**
   * Reads a topic that has no transactions from its beginning to its end as it is at the call, each message once, and
   * leaves nothing behind. Rejects when there is no such topic, when Kafka sends nothing for too long, or with what
   * `onBatch` threw.
   */
  readTopic(options: ReadTopicOptions): Promise<void>;
  /** Reads a topic from its beginning and goes on for as long as it is open. */
  followTopic(options: FollowTopicOptions): Promise<TopicFollower>;
}
