/** Text of others may hold escape sequences, and characters that are unseen or turn its direction: they are shown, not obeyed. */
export function visible(text: string): string {
  return text.replace(/(?!\n)[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu, '\ufffd');
}
