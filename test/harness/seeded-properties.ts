import fc from 'fast-check';

/** Every run generates the same values, so a failure is reproducible. */
fc.configureGlobal({ seed: 20_260_824 });
