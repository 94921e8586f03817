/** As many as may be: more than there are cores of a machine that one would choose for this. */
export const maxWorkers = 64
