/** Where Lambda has Node. */
export const NODE_INSIDE = '/var/lang/bin/node';
