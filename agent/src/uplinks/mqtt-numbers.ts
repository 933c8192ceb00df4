/** Import for what it does, where MQTT is spoken. */
import { writeToStream } from 'mqtt-packet';

// mqtt-packet would keep a buffer for each number from 0 to 65,535, some 7 MB; to make one when needed costs next to nothing.
writeToStream.cacheNumbers = false;
