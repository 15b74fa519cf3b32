/** The port: exactly what Turnout needs from Kafka. `kafkajs.ts` is its only adapter and can be replaced. */
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
  /** When the caller stops waiting; milliseconds since the epoch. Default: 8 s from now. */
  deadlineAt?: number;
  /** Aborted when the caller stops waiting. */
  signal?: AbortSignal;
}

export interface Producer {
  /**
   * Resolves when all in-sync replicas have the message. While Kafka is unreachable, the message is sent again until its deadline.
   * Rejects with a `SendError` that says whether Kafka may have the message. After an abort the message is not sent any more.
   */
  send(message: OutboundMessage, options?: SendOptions): Promise<void>;
  /** Whether Kafka accepted the last request or the last check; checks also run while no messages are sent. */
  connected(): boolean;
  close(): Promise<void>;
}

export interface KafkaProducer extends Producer {
  /**
   * For a process that resumes after a freeze: reconnects if nothing was acknowledged for a minute, because firewalls drop silent
   * connections. Rejects if Kafka does not answer.
   */
  refresh(): Promise<void>;
}

export interface Batch {
  topic: string;
  partition: number;
  messages: InboundMessage[];
}

/** Asks for the start position of a partition. */
export interface PositionQuestion {
  topic: string;
  partition: number;
  /** Kafka's own offsets of the partition. */
  offsets: PartitionOffsets;
  /** Aborted when the answer is no longer needed: the position is asked for again, or another member has the partition. */
  signal: AbortSignal;
}

export interface PartitionOffsets {
  /** The group's committed offset; undefined if it never committed one. */
  committed(): Promise<bigint | undefined>;
  /** The offset of the first message at that time or later (ms since the epoch); the partition's end if there is none. */
  at(timestamp: number): Promise<bigint>;
  /** The offset of the next message to be written. */
  end(): Promise<bigint>;
}

export interface ConsumerOptions {
  groupId: string;
  topic: string;
  /** How many partitions are processed concurrently. Within one partition, batches are processed one after another. */
  partitionsAtOnce?: number;
  /**
   * How many bytes of one partition are fetched at once; a single message may be larger. While they are processed, all partitions of
   * the same broker wait. Default: 1 MiB.
   */
  bytesAtOnce?: number;
  /** The group belongs to this consumer alone: it commits nothing and deletes the group when it closes. */
  temporary?: boolean;
  /**
   * Called at each assignment. Returns the next offset to read, or undefined for the group's committed offset. `onBatch` gets no
   * messages of the partition until it resolves; if it rejects, it is called again.
   */
  position?(question: PositionQuestion): Promise<bigint | undefined>;
  /** If it resolves, the batch is done and its offset is committed later, as a hint. If it rejects, the batch is delivered again. */
  onBatch(batch: Batch, signal: AbortSignal): Promise<void>;
}

export interface Consumer {
  start(): Promise<void>;
  /** True while the consumer is a member of its group. */
  joined(): boolean;
  /** Asks for the position of every assigned partition again and continues from there. A batch in flight may be delivered again. */
  reposition(): void;
  /** Finishes the batches in flight, then leaves the group. */
  close(): Promise<void>;
}

export interface ReadTopicOptions {
  topic: string;
  /** The reading fails if Kafka sends nothing for this many milliseconds. */
  timeoutMs: number;
  /** Called with one batch at a time, in order within a partition. If it rejects, the reading fails. */
  onBatch: (batch: Batch) => Promise<void>;
}

export interface FollowTopicOptions {
  /** Must have one partition. */
  topic: string;
  /**
   * Called with one message at a time, in order, each once. If it rejects, the message is delivered again. If the topic is deleted and
   * recreated, it is delivered from the beginning.
   */
  onMessage: (message: InboundMessage) => Promise<void>;
}

export interface TopicFollower {
  /** Resolves when all messages that existed at the time of the call have been delivered. */
  caughtUp: Promise<void>;
  /** True while the follower is a member of its group. */
  joined(): boolean;
  close(): Promise<void>;
}

export interface TopicSpec {
  topic: string;
  partitions: number;
  /** Replication factor; undefined: the broker's default. */
  replication?: number | undefined;
  config?: Record<string, string>;
}

export interface Kafka {
  /** Creates missing topics and warns of topics with unsuitable settings. Retries while a cold cluster has no controller yet. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;
  producer(): Promise<KafkaProducer>;
  consumer(options: ConsumerOptions): Consumer;
  /**
   * Reads a topic without transactions from its beginning to its end at the time of the call, each message once. Rejects if the topic
   * does not exist, if Kafka sends nothing for too long, or if `onBatch` rejects.
   */
  readTopic(options: ReadTopicOptions): Promise<void>;
  /** Reads a topic from its beginning and then its new messages, until it is closed. */
  followTopic(options: FollowTopicOptions): Promise<TopicFollower>;
}
