/** Lambda's variable for a program that is executed in place of the runtime, with the runtime's command line as its arguments. */
export const EXEC_WRAPPER = 'AWS_LAMBDA_EXEC_WRAPPER';
