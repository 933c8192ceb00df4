import kafkajs from 'kafkajs';

// Not all that a CommonJS module exports can be imported by name.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel } = kafkajs;
const { ResourcePatternTypes } = kafkajs;

export interface Right {
  readonly on: 'TOPIC' | 'TRANSACTIONAL_ID' | 'GROUP';
  readonly name: string;
  readonly operations: readonly ('READ' | 'WRITE' | 'DESCRIBE' | 'CREATE')[];
}

/** Gives a user rights, by a broker that takes us for an administrator. */
export async function allow(broker: string, user: string, rights: readonly Right[]): Promise<void> {
  const admin = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const acl = rights.flatMap(({ on, name, operations }) =>
    operations.map(operation => ({
      resourceType: AclResourceTypes[on],
      resourceName: name,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: '*',
      operation: AclOperationTypes[operation],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  );
  try {
    await admin.createAcls({ acl });
  } finally {
    await admin.disconnect();
  }
}
